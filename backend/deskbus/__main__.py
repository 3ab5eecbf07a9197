"""`python -m deskbus`."""

import sys

from deskbus.cli import main

sys.exit(main())
