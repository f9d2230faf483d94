"""The conformance kit, for every metric of the plugin."""

from __future__ import annotations

from genframe.testing import PluginConformance


class TestMetrics(PluginConformance):
    """Every metric keeps a metric's promises."""

    plugin = "metrics"
