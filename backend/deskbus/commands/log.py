"""`deskbus log`: the log of persisted messages, read from its files; no backend is needed."""

from argparse import Namespace

from deskbus.commands.terminal import output
from deskbus.commands.terminal.progress_bar import show_progress
from deskbus.config import MESSAGE_FOLDER
from deskbus.persistence.log.message_log import MessageLog


def run(options: Namespace) -> int:
    """Answers with 1 when `verify` found damage. A log that was never written is whole."""
    log = MessageLog(options.data_dir / MESSAGE_FOLDER, clock_ms=lambda: 0)
    if log.folder.is_dir():
        log.open(read_only=True)
    elif log.folder.exists():
        raise NotADirectoryError(20, "there is a file in the place of the log", str(log.folder))
    else:
        output.tell(f"deskbus: there are no persisted messages in {log.folder}")
    if options.what == "stat":
        found = log.statistics()
        output.emit(
            {
                "segments": found.segments,
                "sizeBytes": found.size_bytes,
                "messages": found.messages,
                "oldest": found.oldest_ms,
                "newest": found.newest_ms,
                "findings": found.findings,
            }
        )
        return 0
    findings = log.verify(show_progress)
    output.emit({"findings": [finding._asdict() for finding in findings]})
    return 1 if findings else 0
