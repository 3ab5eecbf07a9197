"""A ticket works once, for its app, for sixty seconds."""

import pytest

from deskbus.security.tickets.one_time_tickets import MAX_OPEN_TICKETS, TICKET_LIFE_S, TicketIssuer
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import DeskbusError
from tests.support.clocks import ManualClock

FEED = ClientId("desk.feed", "main")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def office(clock: ManualClock) -> TicketIssuer:
    return TicketIssuer(clock)


def refusal(office: TicketIssuer, ticket: str, app: str) -> str:
    with pytest.raises(DeskbusError) as refused:
        office.redeem(ticket, app)
    return f"{refused.value.kind.name}: {refused.value.message}"


def test_a_ticket_gives_its_identity_once(office: TicketIssuer) -> None:
    ticket = office.mint(FEED)
    assert office.redeem(ticket, "desk.feed") == FEED
    assert refusal(office, ticket, "desk.feed").startswith("ticket_refused")


def test_unknown_foreign_used_and_expired_tickets_are_refused_alike(
    office: TicketIssuer, clock: ManualClock
) -> None:
    used, foreign, expired = (office.mint(FEED) for _ in range(3))
    office.redeem(used, "desk.feed")
    words = {
        refusal(office, "x" * 43, "desk.feed"),
        refusal(office, used, "desk.feed"),
        refusal(office, foreign, "desk.bank"),
    }
    clock.now_s += TICKET_LIFE_S
    words.add(refusal(office, expired, "desk.feed"))
    assert len(words) == 1


def test_a_ticket_is_good_until_its_last_moment(office: TicketIssuer, clock: ManualClock) -> None:
    ticket = office.mint(FEED)
    clock.now_s += TICKET_LIFE_S - 0.001
    assert office.redeem(ticket, "desk.feed") == FEED


def test_a_ticket_tried_for_another_app_is_spent(office: TicketIssuer) -> None:
    ticket = office.mint(FEED)
    refusal(office, ticket, "desk.bank")
    refusal(office, ticket, "desk.feed")


def test_tickets_that_are_revoked_are_good_for_nobody(office: TicketIssuer) -> None:
    meant = [office.mint(ClientId("desk.feed", f"tab-{n}")) for n in range(2)]
    others = [FEED, ClientId("desk.bank", "tab-1")]
    kept = [office.mint(each) for each in others]
    office.revoke("desk.feed", lambda client: client.startswith("tab-"))
    for ticket in meant:
        assert office.bearer(ticket, "desk.feed") is None
        assert refusal(office, ticket, "desk.feed").startswith("ticket_refused")
    assert [office.redeem(kept[n], each.app) for n, each in enumerate(others)] == others


def test_open_tickets_are_bounded_and_expired_ones_make_room(
    office: TicketIssuer, clock: ManualClock
) -> None:
    for _ in range(MAX_OPEN_TICKETS):
        office.mint(FEED)
    with pytest.raises(DeskbusError) as refused:
        office.mint(FEED)
    assert refused.value.kind.name == "overloaded"
    clock.now_s += TICKET_LIFE_S
    assert office.redeem(office.mint(FEED), "desk.feed") == FEED
