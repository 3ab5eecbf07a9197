"""The catalogue of audit events: closed, named, and never open to a misspelling."""

from typing import get_args

import msgspec
import pytest

from deskbus_protocol.events import AuditEvent, Event, PermissionGranted

KINDS: tuple[type[Event], ...] = get_args(AuditEvent)


def test_every_event_has_a_name_of_its_own() -> None:
    names = [kind.__struct_config__.tag for kind in KINDS]
    assert len(set(names)) == len(names)
    assert all(isinstance(name, str) and name == name.lower() for name in names)


def test_the_union_lists_every_event_of_the_catalogue() -> None:
    def leaves(kind: type[Event]) -> set[type[Event]]:
        below = kind.__subclasses__()
        return {leaf for sub in below for leaf in leaves(sub)} if below else {kind}

    assert leaves(Event) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__struct_config__.tag)
def test_an_event_says_how_serious_it_is_without_writing_it_anew_each_time(
    kind: type[Event],
) -> None:
    assert kind.severity in ("info", "notice", "warning", "critical")
    assert "severity" not in kind.__struct_fields__


def test_an_event_comes_back_as_what_it_was() -> None:
    event = PermissionGranted(
        app="com.example.a",
        actor="person",
        permission="messaging.read",
        scope="prices.#",
        holds="always",
        until=5,
    )
    encoded = msgspec.json.encode(event)
    assert msgspec.json.decode(encoded)["type"] == "permission.granted"
    assert msgspec.json.decode(encoded, type=AuditEvent) == event
