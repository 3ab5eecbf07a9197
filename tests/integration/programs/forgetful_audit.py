"""The backend, with room for few events that wait for an audit log that can't be written."""

import sys

from deskbus.audit.write import group_commit_writer
from deskbus.cli import main

group_commit_writer.MAX_WAITING = 20

if __name__ == "__main__":
    sys.exit(main())
