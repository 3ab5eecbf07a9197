"""One-time tickets, by which a client proves the identity that the shell gave it."""

import hashlib
import secrets
from collections.abc import Callable
from typing import NamedTuple

from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import OVERLOADED, TICKET_REFUSED, DeskbusError

TICKET_LIFE_S = 60.0
MAX_OPEN_TICKETS = 10_000


class _Minted(NamedTuple):
    identity: ClientId
    expires_at: float


class TicketIssuer:
    """Mints and redeems tickets. Only their hashes are kept, so memory tells none."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._open: dict[bytes, _Minted] = {}

    def mint(self, identity: ClientId) -> str:
        """A ticket good once, for `TICKET_LIFE_S`; raises `DeskbusError` (overloaded)."""
        self._drop_expired()
        if len(self._open) >= MAX_OPEN_TICKETS:
            raise DeskbusError(OVERLOADED, "Too many tickets wait to be used.")
        ticket = secrets.token_urlsafe(32)
        expires_at = self._monotonic_s() + TICKET_LIFE_S
        self._open[_digest(ticket)] = _Minted(identity, expires_at)
        return ticket

    def bearer(self, ticket: str, app: str) -> ClientId | None:
        """The identity that `redeem` would return, None where it would refuse; nothing is spent."""
        minted = self._open.get(_digest(ticket))
        if minted is None or minted.identity.app != app:
            return None
        return minted.identity if self._monotonic_s() < minted.expires_at else None

    def redeem(self, ticket: str, app: str) -> ClientId:
        """The identity that the ticket was minted for; the ticket is spent, whatever comes out.

        Raises `DeskbusError` (ticket_refused), the same for unknown, used, expired and foreign.
        """
        minted = self._open.pop(_digest(ticket), None)
        if minted is None or minted.identity.app != app:
            raise DeskbusError(TICKET_REFUSED)
        if self._monotonic_s() >= minted.expires_at:
            raise DeskbusError(TICKET_REFUSED)
        return minted.identity

    def revoke(self, app: str, is_meant: Callable[[str], bool]) -> None:
        """Tickets of these clients of an app are void; `is_meant` is asked by client's name."""
        self._open = {
            digest: minted
            for digest, minted in self._open.items()
            if minted.identity.app != app or not is_meant(minted.identity.client)
        }

    def _drop_expired(self) -> None:
        """Tickets are kept in the order of their minting, so the expired ones are in front."""
        now = self._monotonic_s()
        while self._open:
            oldest = next(iter(self._open))
            if self._open[oldest].expires_at > now:
                return
            del self._open[oldest]


def _digest(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode()).digest()
