"""`deskbus log`: the log of persisted messages, read from its files; no backend is needed."""

import sys
from argparse import Namespace

import msgspec

from deskbus.commands.progress import show_progress
from deskbus.config import MESSAGE_FOLDER
from deskbus.persistence.log import MessageLog


def run(options: Namespace) -> int:
    """Prints JSON; exits with 1 when `verify` found damage."""
    log = MessageLog(options.data_dir / MESSAGE_FOLDER, clock_ms=lambda: 0)
    if not log.folder.is_dir():
        sys.stderr.write(f"deskbus: there are no persisted messages in {log.folder}\n")
        return 1
    log.open(read_only=True)
    if options.what == "stat":
        _print(log.statistics())
        return 0
    findings = log.verify(show_progress)
    _print({"findings": [finding._asdict() for finding in findings]})
    return 1 if findings else 0


def _print(value: object) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")
