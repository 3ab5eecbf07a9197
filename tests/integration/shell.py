"""A shell for tests: starts the real backend, speaks on its stdio, answers its prompts."""

import hashlib
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
from anyio.abc import Process
from anyio.streams.stapled import StapledByteStream
from msgspec import Raw

from deskbus_protocol.client import Client, connect_with_ticket
from deskbus_protocol.session import HelloResult
from deskbus_protocol.ui import PermissionDialog, ShowDialogParams
from deskbus_protocol.wire.encoding import Encoding
from deskbus_protocol.wire.rpc import encode
from tests.integration.schema_validator import SchemaValidator

LIMIT_S = 60
"""Longer than anything takes that works, also on a busy machine."""


class TestShell:
    """A peer that is to the backend what Electron's main process is, without windows.

    `person` decides what a shown dialog is answered with; by default nobody touches it.
    """

    __test__ = False

    def __init__(self, process: Process, client: Client, hello: HelloResult) -> None:
        self.process = process
        self.client = client
        self.hello = hello
        self.dialogs: list[PermissionDialog] = []
        self.person: Callable[[ShowDialogParams], Awaitable[dict[str, Any]]] = self._nobody
        self.opened_windows: list[Any] = []
        client.handle("ui.showDialog", self._show_dialog)
        client.handle("ui.openWindow", self._open_window)
        client.handle("ui.closeWindow", self._close_window)

    async def ticket(self, app: str, client: str = "main") -> str:
        minted = await self.client.call(
            "session.mintTicket", {"app": app, "client": client}, result=dict
        )
        return str(minted["ticket"])

    @asynccontextmanager
    async def app(
        self,
        app: str,
        client: str = "main",
        *,
        honest: bool = True,
        encodings: Sequence[Encoding] = (),
    ) -> AsyncIterator[Client]:
        """A connected app; one that is not honest may send what no schema allows."""
        ticket = await self.ticket(app, client)
        validator = SchemaValidator() if honest else None
        async with connect_with_ticket(
            self.hello.pipe, ticket, app, on_frame=validator, encodings=encodings
        ) as connected:
            yield connected

    async def allow(self, asked: ShowDialogParams, *, after_ms: int = 520) -> dict[str, Any]:
        """A person who looks, waits and clicks Allow."""
        await self.shown(asked)
        await anyio.sleep(after_ms / 1000)
        return answer_to(asked, "allow")

    async def deny(self, asked: ShowDialogParams) -> dict[str, Any]:
        await self.shown(asked)
        return answer_to(asked, "deny")

    async def shown(self, asked: ShowDialogParams) -> None:
        await self.client.notify("ui.dialogShown", {"dialog": asked.descriptor.dialog})
        # The buttons' delay counts from when the backend has learned of it, as it has by now.
        await self.client.call("session.ping")

    async def _show_dialog(self, params: Raw) -> object:
        asked = msgspec.json.decode(params, type=ShowDialogParams)
        self.dialogs.append(asked.descriptor)
        return await self.person(asked)

    async def _open_window(self, params: Raw) -> object:
        self.opened_windows.append(msgspec.json.decode(params))
        return {}

    async def _close_window(self, _: Raw) -> object:
        return {}

    @staticmethod
    async def _nobody(_: ShowDialogParams) -> dict[str, Any]:
        await anyio.sleep_forever()
        raise AssertionError


def answer_to(asked: ShowDialogParams, choice: str, **changes: object) -> dict[str, Any]:
    return {
        "dialog": asked.descriptor.dialog,
        "nonce": asked.descriptor.nonce,
        "descriptorHash": hashlib.sha256(encode(asked.descriptor)).hexdigest(),
        "choice": choice,
        "remember": "session",
        **changes,
    }


@asynccontextmanager
async def start_shell(
    data_dir: Path,
    *,
    config: str = "",
    consent: str = "ask",
    electron: Path | None = None,
    files: Sequence[str] = (),
    program: str = "deskbus",
    command: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[TestShell]:
    """Runs `deskbus serve --stdio` and opens the shell's session, as of this `electron`.

    `files` are made beside the configuration, with nothing in them. `program` is the module to run,
    unless another `command` is given; `env` is its whole environment, in place of this one.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    config_file = data_dir / "deskbus.toml"
    config_file.write_text(config)
    for name in files:
        (data_dir / name).touch()
    words = [*(command or (sys.executable, "-m", program)), "serve", "--stdio"]
    words += ["--consent", consent, "--data-dir", str(data_dir), "--config", str(config_file)]
    with (data_dir / "stderr.log").open("ab") as errors:
        process = await anyio.open_process(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=env
        )
    assert process.stdin is not None
    assert process.stdout is not None
    stream = StapledByteStream(process.stdin, process.stdout)
    failed: Exception | None = None
    try:
        async with anyio.create_task_group() as tasks:
            client = Client(stream, SchemaValidator())
            tasks.start_soon(client.run)
            try:
                with anyio.fail_after(LIMIT_S):
                    greeting = await client.call(
                        "session.hello",
                        {
                            "protocolVersion": "1.0",
                            "shell": "tests",
                            **({"execPath": str(electron)} if electron else {}),
                        },
                        result=HelloResult,
                    )
                yield TestShell(process, client, greeting)
            except Exception as error:  # raised again below, not in a group
                failed = error
            finally:
                tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await process.stdin.aclose()
            with anyio.move_on_after(LIMIT_S):
                await process.wait()
            if process.returncode is None:
                process.kill()
                await process.wait()
            await process.stdout.aclose()
    if failed is not None:
        raise failed
