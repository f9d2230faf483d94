"""``python -m genframe.cli``."""

import sys

from . import main

sys.exit(main())
