"""`python -m deskbus_protocol.export [--check]`: writes what is generated, or only compares it."""

import sys

from deskbus_protocol.export.generated_files import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
