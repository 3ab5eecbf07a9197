"""`deskbus support FILE`: one archive for who is asked for help, without secrets."""

import io
import os
import tarfile
import time
from argparse import Namespace
from functools import partial
from pathlib import Path

from deskbus.commands.backend.developer_session import run_with_client
from deskbus.commands.terminal import output
from deskbus.commands.terminal.failures import CommandError
from deskbus_protocol.client import Client
from deskbus_protocol.support import SupportPart, SupportReport

LEFT_OUT = "left-out.txt"


def run(options: Namespace) -> int:
    """Raises `CommandError` where the file is there already, or can't be written."""
    return run_with_client(options, partial(_collect, path=options.file))


async def _collect(client: Client, *, path: Path) -> None:
    found: SupportReport = await client.call("support.collect", result=SupportReport)
    try:
        write_archive(path, found)
    except FileExistsError:
        raise CommandError(f"{path} is there already", "Name another file.") from None
    for sentence in found.left_out:
        output.tell(f"deskbus: {sentence}")
    output.emit({"file": str(path), "parts": [part.name for part in found.parts]})


def write_archive(path: Path, report: SupportReport) -> None:
    """A tar file, compressed with gzip, that this user alone can read; raises `OSError`."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    parts = [*report.parts]
    if report.left_out:
        text = "".join(f"{sentence}\n" for sentence in report.left_out)
        parts.append(SupportPart(name=LEFT_OUT, text=text))
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        for part in parts:
            content = part.text.encode()
            member = tarfile.TarInfo(f"deskbus-support/{part.name}")
            member.size, member.mode, member.mtime = len(content), 0o600, int(time.time())
            archive.addfile(member, io.BytesIO(content))
