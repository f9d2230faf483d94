"""``python -m genframe.cli``."""

import sys

from ..cli import main

sys.exit(main())
