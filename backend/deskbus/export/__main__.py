"""`python -m deskbus.export [--check]`: writes what is generated, or only compares it."""

import sys

from deskbus.export.generated_files import files
from deskbus_protocol.export.generated_files import write

if __name__ == "__main__":
    sys.exit(write(files(), sys.argv[1:]))
