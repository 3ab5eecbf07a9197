"""`python -m deskbus`."""

import sys

if not sys.flags.safe_path:
    # The working folder: a file there must not take the place of a module that is imported later.
    del sys.path[0]

from deskbus.cli import main

sys.exit(main())
