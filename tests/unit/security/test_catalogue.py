"""A permission that nobody enforces is not offered; one that is offered has its place."""

from pathlib import Path

import pytest

from deskbus import config
from deskbus.config import Config, ConfigError
from deskbus_protocol.catalogue import BUILT_IN, Catalogue
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.methods import METHODS
from deskbus_protocol.permissions import Grant, PermissionEntry
from tests.unit.security.desk import TICKER, Desk, says

pytestmark = pytest.mark.requirement("3.1")

TRAY = Grant("system.tray", "all")


@pytest.mark.parametrize("entry", BUILT_IN, ids=lambda entry: entry.name)
def test_what_is_offered_is_enforced_by_somebody_who_is_there(entry: PermissionEntry) -> None:
    if entry.enforced_by == "nobody":
        assert Catalogue().offered(entry.name) is None
        assert entry.points == ()
    elif entry.enforced_by == "shell":
        assert entry.points
    else:
        assert entry.points
        assert all(METHODS[point].handled_by == "backend" for point in entry.points)


async def test_what_nobody_enforces_is_refused_though_it_is_declared_and_allowed() -> None:
    desk = Desk(declares=(TRAY,), grants=(TRAY,))
    desk.person = says("allow", "always")
    async with desk.running():
        with pytest.raises(DeskbusError, match="no permission"):
            await desk.security.permissions.request(TICKER, TRAY)
        assert TRAY.permission not in {entry.name for entry in desk.settings.offered()}
        assert all(
            rule.permission != TRAY.permission for rule in desk.settings.grants_of(TICKER.app).rules
        )
    assert desk.asked == []


def load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "deskbus.toml"
    path.write_text(text)
    return config.load(path)


OWN = """
[[permissions]]
name = "printer"
title = "Print"
statement = "{app} wants to print."
detail = "It can use paper and ink."
scope = "word"
"""
APP = '[[apps]]\nid = "desk.a"\nname = "A"\n'


async def test_a_configuration_adds_permissions_that_its_shell_enforces(tmp_path: Path) -> None:
    text = OWN + APP + 'declares = [{ permission = "printer", scope = "lobby" }]'
    found = load(tmp_path, text)
    printing = Grant("printer", "lobby")
    catalogue = Catalogue(spec.entry() for spec in found.permissions)
    desk = Desk(declares=(printing,), catalogue=catalogue)
    desk.person = says("allow", "session")
    async with desk.running():
        assert await desk.security.permissions.request(TICKER, printing)
        assert not await desk.security.permissions.request(TICKER, Grant("printer", "vault"))


async def test_a_shell_that_enforces_the_tray_offers_it(tmp_path: Path) -> None:
    found = load(tmp_path, OWN.replace('"printer"', '"system.tray"').replace('"word"', '"fixed"'))
    catalogue = Catalogue(spec.entry() for spec in found.permissions)
    desk = Desk(declares=(TRAY,), catalogue=catalogue)
    desk.person = says("allow", "session")
    async with desk.running():
        assert await desk.security.permissions.request(TICKER, TRAY)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (APP + 'declares = [{ permission = "printer", scope = "all" }]', "no permission printer"),
        (OWN.replace('"printer"', '"messaging.read"'), "the backend's own"),
        (APP + APP.replace("desk.a", "de-sk.a"), "look alike"),
        (APP.replace("desk.a", "dеsk.a"), "id"),
        (APP.replace("desk.a", "Desk.a"), "id"),
    ],
)
def test_a_configuration_that_would_mislead_is_refused(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        load(tmp_path, text)
