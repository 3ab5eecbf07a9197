"""A thief with the data folder of yesterday: what of it counts in a later run of the backend.

Each attack has to fail; its control, the same with what is of this run or this folder, succeeds.
"""

import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import anyio
import pytest

from deskbus_protocol.client import connect, open_session
from deskbus_protocol.errors import DeskbusError
from tests.integration.shell import LIMIT_S, TestShell, start_shell

pytestmark = [pytest.mark.slow, pytest.mark.requirement("8.4")]

APP = "desk.app"
IN = "in"
CONFIG = f"""
[[apps]]
id = "{APP}"
name = "App"
grants = [{{ permission = "messaging.write", scope = "t.#" }}]
declares = [{{ permission = "messaging.read", scope = "t.#" }}]
"""
WANTED = {"permission": "messaging.read", "scope": "t.#"}
WINDOW = {"client": "main", "bounds": {"x": 0, "y": 0, "width": 400, "height": 300}}


class Theft(NamedTuple):
    """The loot of the run before: its tickets, and a copy of its folder."""

    folder: Path
    copy: Path
    ticket: str
    resume_token: str


async def outcome(call: Awaitable[object]) -> str:
    try:
        await call
    except DeskbusError as error:
        return error.kind.name
    return IN


@asynccontextmanager
async def run(folder: Path) -> AsyncIterator[TestShell]:
    async with start_shell(folder, config=CONFIG) as shell:
        shell.person = shell.allow
        yield shell


async def resumed(shell: TestShell, token: str) -> str:
    async with connect(shell.hello.pipe) as client:
        params = {"resumeToken": token, "protocolVersion": "1.0"}
        return await outcome(client.call("session.resume", params))


async def opened(shell: TestShell, ticket: str) -> str:
    async with connect(shell.hello.pipe) as client:
        return await outcome(open_session(client, ticket, APP))


async def token_of(shell: TestShell) -> str:
    async with connect(shell.hello.pipe) as client:
        opening = await open_session(client, await shell.ticket(APP, "left"), APP)
        return opening.resume_token


async def state_of(shell: TestShell) -> str:
    async with shell.app(APP, "asks") as app:
        answer = await app.call("permissions.query", WANTED, result=dict)
        return IN if answer["state"] == "granted" else str(answer["state"])


async def verdict(shell: TestShell) -> str:
    found = await shell.client.call("audit.verify", {}, result=dict)
    # Without a keychain there is no anchor, and the log alone is judged.
    return IN if found["verdict"] in ("OK", "UNANCHORED") else str(found["verdict"])


def lay_out(folder: Path, **layout: object) -> None:
    place = folder / "layouts"
    place.mkdir(exist_ok=True, mode=0o700)
    (place / "layout-stolen.json").write_text(json.dumps({"version": 1, **layout}))


async def restored(shell: TestShell) -> str:
    try:
        got = await shell.client.call("session.restore", {"name": "stolen"}, result=dict)
    except DeskbusError as error:
        return error.kind.name
    return IN if not got["failed"] else "not restored"


async def ticket_of_yesterday(theft: Theft) -> str:
    async with run(theft.folder) as shell:
        return await opened(shell, theft.ticket)


async def ticket_of_today(theft: Theft) -> str:
    async with run(theft.folder) as shell:
        return await opened(shell, await shell.ticket(APP, "today"))


async def token_of_yesterday(theft: Theft) -> str:
    async with run(theft.folder) as shell:
        return await resumed(shell, theft.resume_token)


async def token_of_today(theft: Theft) -> str:
    async with run(theft.folder) as shell:
        return await resumed(shell, await token_of(shell))


async def planted_decision(theft: Theft) -> str:
    """A permission in the plain file of an earlier version."""
    granted = {"app": APP, "allowed": True, "holds": "always", "since": 1, "bound": ""}
    decisions = {"version": 1, "decisions": [{**granted, "grant": WANTED}]}
    (theft.folder / "decisions.json").write_text(json.dumps(decisions))
    async with run(theft.folder) as shell:
        return await state_of(shell)


async def decided(theft: Theft) -> str:
    async with run(theft.folder) as shell:
        granted = {"app": APP, **WANTED}
        await shell.client.call("permissions.grant", granted)
        return await state_of(shell)


async def shortened_log(theft: Theft) -> str:
    """The log of yesterday in place of the one that a run of today has written on."""
    async with run(theft.folder) as shell:
        async with shell.app(APP, "today"):
            assert await verdict(shell) == IN
        shutil.rmtree(theft.folder / "audit")
        shutil.copytree(theft.copy / "audit", theft.folder / "audit")
        return await verdict(shell)


async def whole_log(theft: Theft) -> str:
    async with run(theft.folder) as shell:
        return await verdict(shell)


async def layout_of_no_app(theft: Theft) -> str:
    lay_out(theft.folder, apps=[{"app": "evil.app", "windows": [WINDOW]}])
    async with run(theft.folder) as shell:
        return await restored(shell)


async def layout_that_leads_elsewhere(theft: Theft) -> str:
    url = "https://evil.example.com/"
    lay_out(theft.folder, apps=[{"app": APP, "windows": [{**WINDOW, "url": url}]}], program="/x")
    async with run(theft.folder) as shell:
        got = await restored(shell)
        return got if any(url in json.dumps(each) for each in shell.opened_windows) else "ignored"


async def honest_layout(theft: Theft) -> str:
    lay_out(theft.folder, apps=[])
    async with run(theft.folder) as shell:
        return await restored(shell)


class Attack(NamedTuple):
    name: str
    attempt: Callable[[Theft], Awaitable[str]]
    control: Callable[[Theft], Awaitable[str]]


ATTACKS = [
    Attack("a ticket of the run before", ticket_of_yesterday, ticket_of_today),
    Attack("a resume token of the run before", token_of_yesterday, token_of_today),
    Attack("a decision in the file of an earlier version", planted_decision, decided),
    Attack("the audit log of yesterday under a run of today", shortened_log, whole_log),
    Attack("a layout with an app that there is not", layout_of_no_app, honest_layout),
    Attack("a layout with a page of its own", layout_that_leads_elsewhere, honest_layout),
]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def stolen(tmp_path_factory: pytest.TempPathFactory) -> Theft:
    """A folder that one run of the backend has left behind."""
    folder = tmp_path_factory.mktemp("thief") / "data"
    async with run(folder) as shell:
        ticket, token = await shell.ticket(APP, "stolen"), await token_of(shell)
    return Theft(folder, folder, ticket, token)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
async def test_what_was_stolen_counts_no_more_and_its_control_does(
    stolen: Theft, attack: Attack, tmp_path: Path
) -> None:
    got = {}
    with anyio.fail_after(2 * LIMIT_S):
        for name, tries in (("attempt", attack.attempt), ("control", attack.control)):
            folder = tmp_path / name
            shutil.copytree(stolen.folder, folder)
            got[name] = await tries(stolen._replace(folder=folder))
    assert got["attempt"] != IN
    assert got["attempt"] != "internal_error"
    assert got["control"] == IN
