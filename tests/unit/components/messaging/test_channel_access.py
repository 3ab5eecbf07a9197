from collections.abc import Callable
from typing import cast

import pytest

from deskbus.components.messaging.channel_access import AGENT, ChannelAccess
from deskbus.security.permission_checker import PermissionChecker
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.fdc3 import channel_topic, inbox_topic
from deskbus_protocol.permissions import Grant

CHART, OTHER = ClientId("chart", "window"), ClientId("other", "window")
INBOX = inbox_topic("one")
RED = channel_topic("user", "red", "fdc3.contact")
PRIVATE = channel_topic("private", "p", "x")


class Checker:
    """Permits everything, or the permissions that are named."""

    def __init__(self, *permissions: str) -> None:
        self._permissions = permissions
        self.used: list[Grant] = []

    def is_granted(self, _: ClientId, wanted: Grant) -> bool:
        return not self._permissions or wanted.permission in self._permissions

    def note_use(self, _: ClientId, wanted: Grant) -> None:
        self.used.append(wanted)

    def may_read(self, identity: ClientId, topic: str) -> bool:
        return self.is_granted(identity, Grant("messaging.read", topic))

    def may_write(self, identity: ClientId, topic: str) -> bool:
        return self.is_granted(identity, Grant("messaging.write", topic))

    may_subscribe = may_read
    may_write_all = may_write

    def may_spend(self, identity: ClientId, permission: str, scope: str) -> bool:
        return True

    spend = may_spend


def access(*permissions: str) -> ChannelAccess:
    made = ChannelAccess(cast("PermissionChecker", Checker(*permissions)))
    made.give_inbox(INBOX, CHART)
    return made


def test_an_inbox_is_read_by_its_owner_alone_whatever_others_were_granted() -> None:
    found = access()
    for asks in (found.may_read, found.may_subscribe, found.owns):
        assert asks(CHART, INBOX)
        assert not asks(OTHER, INBOX)
        assert not asks(AGENT, INBOX)
    found.take_inbox(INBOX)
    assert not found.may_read(CHART, INBOX)


@pytest.mark.parametrize("topic", [INBOX, PRIVATE])
def test_nobody_but_the_agent_writes_to_an_inbox_or_a_private_channel(topic: str) -> None:
    found = access()
    asks: list[Callable[[ClientId], bool]] = [
        lambda who: found.may_write(who, topic),
        lambda who: found.may_write_all(who, topic),
        lambda who: found.may_spend(who, "messaging.write", topic),
        lambda who: found.is_granted(who, Grant("messaging.write", topic)),
    ]
    assert [ask(CHART) for ask in asks] == [False] * 4
    assert found.may_write(AGENT, topic) is (topic == INBOX)


def test_a_private_channel_is_read_by_the_agent_alone() -> None:
    assert access().may_read(AGENT, PRIVATE)
    assert not access().may_read(CHART, PRIVATE)


def test_what_is_lent_is_for_one_client_one_topic_and_one_block() -> None:
    found = access("none")
    with found.lending(CHART, PRIVATE):
        assert found.spend(CHART, "messaging.write", PRIVATE)
        assert not found.may_spend(OTHER, "messaging.write", PRIVATE)
        assert not found.may_spend(CHART, "messaging.write", INBOX)
    assert not found.may_spend(CHART, "messaging.write", PRIVATE)


def test_a_channel_is_written_to_by_either_permission() -> None:
    assert access("fdc3.context.write").may_write(CHART, RED)
    assert access("messaging.write").may_write(CHART, RED)
    assert not access("messaging.read").may_write(CHART, RED)
    assert access("messaging.write").may_write(CHART, "prices.EURUSD")
    assert not access("fdc3.context.write").may_write(CHART, "prices.EURUSD")
