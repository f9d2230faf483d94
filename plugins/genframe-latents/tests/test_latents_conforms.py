"""The conformance kit, for the metrics of the plugin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from genframe import ModelSpec, Real
from genframe.testing import Example, PluginConformance
from genframe_data import Digits
from genframe_latents import LinearProbe

AUTOENCODER = ModelSpec.model_validate(
    {"encoder": "nets/conv", "decoder": "nets/conv", "prior": "core/normal", "loss": "vae/reconstruction"}
)


class TestLatents(PluginConformance):
    """Every metric keeps a metric's promises."""

    plugin = "latents"
    examples: ClassVar[dict[str, Sequence[Any]]] = {
        "latents/linear_probe": [
            Example(LinearProbe(of=Digits(labels=True, limit=60)), data=Real((1, 8, 8), 0, 1, 17), model=AUTOENCODER)
        ],
    }
