"""Sphinx configuration. Nothing is fetched from the network: no remote fonts, scripts or inventories."""

from __future__ import annotations

import sys
from pathlib import Path

from genframe import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "genframe"
author = "the genframe authors"
project_copyright = "the genframe authors"
release = version = __version__

extensions = ["myst_parser", "spec_reference"]
exclude_patterns = ["_build", "_ext", "table.md", "table-fashion.md"]  # part of the front page
nitpicky = True
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"genframe {__version__}"
html_copy_source = False
