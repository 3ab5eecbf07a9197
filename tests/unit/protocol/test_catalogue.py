"""A permission that nobody enforces is not offered; one that is offered has its place."""

from pathlib import Path

import pytest

from deskbus import config
from deskbus.config import Config, ConfigError
from deskbus_protocol.catalogue import BUILT_IN, Catalogue
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.events import PermissionDenied
from deskbus_protocol.methods import METHODS
from deskbus_protocol.permissions import Grant, GrantParams, PermissionEntry
from tests.support.configuration import app
from tests.unit.security.desk import TICKER, Desk, says

pytestmark = pytest.mark.requirement("3.1")

TRAY = Grant("system.tray", "all")


@pytest.mark.parametrize("entry", BUILT_IN, ids=lambda entry: entry.name)
def test_what_is_offered_is_enforced_by_somebody_who_is_there(entry: PermissionEntry) -> None:
    if entry.enforced_by == "nobody":
        assert Catalogue().offered(entry.name) is None
    elif entry.enforced_by == "shell":
        assert entry.points
    else:
        assert entry.points
        assert all(METHODS[point].handled_by == "backend" for point in entry.points)


LATER = [entry for entry in BUILT_IN if entry.since]


@pytest.mark.parametrize("entry", LATER, ids=lambda entry: entry.name)
def test_what_only_a_later_electron_enforces_is_offered_by_that_one_alone(
    entry: PermissionEntry,
) -> None:
    catalogue = Catalogue()
    assert catalogue.offered(entry.name) is None
    catalogue.shell_came(entry.since - 1)
    assert catalogue.offered(entry.name) is None
    catalogue.shell_came(entry.since)
    assert catalogue.offered(entry.name) == entry


async def test_what_the_shell_does_not_enforce_is_refused_until_one_comes_that_does() -> None:
    hid = Grant("hid", "all")
    catalogue = Catalogue()
    desk = Desk(declares=(hid,), grants=(hid,), catalogue=catalogue)
    async with desk.running():
        catalogue.shell_came(9)
        with pytest.raises(DeskbusError, match="no permission hid"):
            await desk.security.permissions.request(TICKER, hid)
        with pytest.raises(DeskbusError, match="no permission hid"):
            await desk.settings.grant(
                GrantParams(app=TICKER.app, permission="hid", scope="all", allowed=True)
            )
        assert "hid" not in {rule.permission for rule in desk.settings.grants_of(TICKER.app).rules}
        catalogue.shell_came(catalogue["hid"].since)
        assert await desk.security.permissions.request(TICKER, hid)
        assert "hid" in {rule.permission for rule in desk.settings.grants_of(TICKER.app).rules}


async def test_a_wish_for_what_nobody_offers_is_in_the_audit_log() -> None:
    desk = Desk()
    async with desk.running():
        with pytest.raises(DeskbusError, match="no permission"):
            await desk.security.permissions.request(TICKER, Grant("electron.unknown", "all"))
    [denied] = [event for event in desk.trail.noted if isinstance(event, PermissionDenied)]
    assert (denied.app, denied.permission) == (TICKER.app, "electron.unknown")
    assert denied.reason == "nobody here would enforce it"


@pytest.mark.parametrize("name", ["geolocation", "media.protected"])
def test_other_words_for_a_permission_leave_it_where_electron_asks(
    tmp_path: Path, name: str
) -> None:
    found = load(tmp_path, OWN.replace('"printer"', f'"{name}"').replace('"word"', '"fixed"'))
    entry = Catalogue(spec.entry() for spec in found.permissions).offered(name)
    assert entry is not None
    assert entry.title == "Print"
    assert entry.points == Catalogue()[name].points != ()


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
APP = app("desk.a")


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
