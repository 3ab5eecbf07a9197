"""A fortnight on somebody's desktop, as events: for the report and for pictures of it."""

import random
from collections.abc import Iterator

from deskbus.audit.format.record import Stamped
from deskbus_protocol.events import (
    AppCrashed,
    AppLaunched,
    AppReady,
    AppRestarted,
    AppTerminated,
    ConfigChanged,
    Event,
    PermissionDenied,
    PermissionExpired,
    PermissionGranted,
    PermissionRequested,
    PermissionRevoked,
    TicketUsed,
    VaultRotated,
    VaultUnlocked,
    Violation,
)
from tests.unit.audit.rig import Rig

APPS = ("com.example.ticker", "com.example.blotter", "com.example.news", "org.acme.chat")
SCOPES = {
    "messaging.read": ("prices.#", "orders.own.#", "news.*.headline"),
    "messaging.write": ("orders.new", "chat.room.#"),
    "geolocation": ("all",),
    "notifications": ("all",),
}
DAY_MS = 86_400_000


def events(days: int = 14) -> Iterator[tuple[int, Event]]:
    """Each with its time in milliseconds since the beginning."""
    chance = random.Random(7)
    yield 0, ConfigChanged(after="5f" * 32)
    yield 1000, VaultUnlocked(kek_provider="Secret Service")
    held: list[tuple[str, str, str]] = []
    for day in range(days):
        at = day * DAY_MS + 8 * 3_600_000
        for app in APPS:
            at += chance.randrange(20_000, 400_000)
            yield at, AppLaunched(app=app, pid=chance.randrange(1000, 9000))
            yield at + 300, TicketUsed(app=app, client="main")
            yield at + 700, AppReady(app=app, took_ms=700)
        for _ in range(chance.randrange(2, 9)):
            at += chance.randrange(60_000, 3_000_000)
            app = chance.choice(APPS)
            permission = chance.choice(list(SCOPES))
            scope = chance.choice(SCOPES[permission])
            wish = PermissionRequested(
                app=app, client="main", permission=permission, scope=scope, reason="for the chart"
            )
            yield at, wish
            answer = PermissionGranted if chance.random() < 0.7 else PermissionDenied
            if answer is PermissionGranted:
                held.append((app, permission, scope))
            yield (
                at + 4000,
                answer(
                    app=app, client="main", actor="person", permission=permission, scope=scope,
                    holds="always",
                ),
            )  # fmt: skip
        if held and chance.random() < 0.5:
            app, permission, scope = held.pop(chance.randrange(len(held)))
            made = PermissionRevoked if chance.random() < 0.6 else PermissionExpired
            yield (
                at + 60_000,
                made(app=app, actor="person", permission=permission, scope=scope),
            )
        if chance.random() < 0.6:
            yield (
                at + 90_000,
                Violation(
                    app="org.acme.chat", client="main", kind="acl", method="bus.publish",
                    target="orders.new", count=chance.randrange(1, 40),
                    reason="This app may not write to orders.new.",
                ),
            )  # fmt: skip
        if chance.random() < 0.3:
            yield at + 120_000, AppCrashed(app="com.example.news", exit_code=-11)
            yield at + 121_000, AppRestarted(app="com.example.news", attempt=1)
        for app in APPS:
            yield at + 200_000, AppTerminated(app=app, exit_code=0)
        if day == 9:
            yield at + 300_000, VaultRotated(what="all", records=12, actor="person")


def play(rig: Rig, days: int = 14) -> None:
    """Writes it as one run, which ends in order."""
    chain_writer = rig.open().chain_writer
    begins_ms, begins_us = rig.clock.ms, rig.clock.us
    for at_ms, event in sorted(events(days), key=lambda item: item[0]):
        rig.clock.ms, rig.clock.us = begins_ms + at_ms, begins_us + at_ms * 1000
        chain_writer.append([Stamped(event, rig.clock.ms, rig.clock.us)])
    rig.end(chain_writer)
