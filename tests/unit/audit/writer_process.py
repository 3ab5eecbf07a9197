"""A process that writes an audit log until it is killed, and tells what was committed.

python -m tests.unit.audit.writer_process FOLDER FIRST
"""

import sys
from pathlib import Path

import anyio

from deskbus.audit.logger import AuditLogger, AuditSettings
from deskbus.audit.store.retention import AuditRetention
from deskbus.observability.logs import log_pipeline
from deskbus_protocol.events import TicketUsed, Violation

FILE_BYTES = 20_000
"""So small that files end, are compressed and begin all the time."""


class NoSafe:
    """A machine without a keychain."""

    exists = False

    async def load(self) -> bytes | None:
        return None

    async def save(self, content: bytes) -> bool:
        return False


async def main(folder: Path, first: int) -> None:
    settings = AuditSettings(
        file_bytes=FILE_BYTES, retention=AuditRetention(max_age_ms=10**12, max_bytes=10**12)
    )
    logger = AuditLogger(folder, NoSafe(), boot=f"run{first}", settings=settings)
    async with logger.running():
        number = first
        while True:
            for _ in range(3):
                logger.note(TicketUsed(app="com.example.app", client=f"noted-{number}"))
            await logger.commit(Violation(kind="acl", target=f"committed-{number}"))
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
            number += 1


if __name__ == "__main__":
    log_pipeline.configure(level="error")
    anyio.run(main, Path(sys.argv[1]), int(sys.argv[2]))
