"""Prompts, answers, crashes and revocations in any order: nothing is allowed without an Allow."""

from collections.abc import Callable
from typing import NamedTuple

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deskbus.security.identity.code_identity import CodeIdentity
from deskbus.security.permission_request import ConsentAnswer, PermissionRequest
from deskbus.security.policy.policy import NO_POLICY, Policy, PolicyRule
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import DEGRADED, DeskbusError
from deskbus_protocol.permissions import Grant
from tests.unit.security.desk import ITSELF, OTHER_WINDOW, TICKER, Desk

pytestmark = pytest.mark.requirement("3.2")

WISHES = [Grant("messaging.read", scope) for scope in ("a", "b", "#")]
TOPICS = ("a", "b", "c")
ALL = Grant("messaging.read", "#")
DENY = Policy([PolicyRule(permission="messaging.read", scope="b", effect="deny")])
SHORT_MS = 1000

EVENTS = st.sampled_from(
    ["none", "revoke", "session", "change", "deny b", "no policy", "time", "locked", "unlocked"]
)


class Ask(NamedTuple):
    """A wish, what the person says to it, and what happens while they think."""

    client: ClientId
    wanted: Grant
    choice: str
    holds: str
    expires: bool
    meanwhile: str


STEPS = st.lists(
    st.builds(
        Ask,
        st.sampled_from([TICKER, OTHER_WINDOW]),
        st.sampled_from(WISHES),
        st.sampled_from(["allow", "deny", "dismissed", "timeout", "failed", "crash"]),
        st.sampled_from(["once", "session", "always"]),
        st.booleans(),
        EVENTS,
    )
    | EVENTS
    | st.just("restart"),
    max_size=12,
)


class Allow(NamedTuple):
    """A person's Allow that has not been taken back since."""

    client: ClientId
    grant: Grant
    holds: str
    until: int | None


class World:
    """The manager beside the simplest account of what a person allowed."""

    def __init__(self) -> None:
        self.desk = Desk(declares=(ALL,))
        self.identity = ITSELF
        self.allows: list[Allow] = []
        self.denies_b = False
        self.coming_back: list[Allow] = []

    async def play(self, steps: list[Ask | str]) -> None:
        rest = list(steps)
        while rest:
            async with self.desk.running():
                self.apply_policy()
                while rest and rest[0] != "restart":
                    step = rest.pop(0)
                    if isinstance(step, Ask):
                        await self.ask(step)
                    else:
                        await self.happen(step)
                    self.check()
            if rest:
                rest.pop(0)
                self.restart()

    async def ask(self, step: Ask) -> None:
        answered: list[Allow] = []

        async def person(_: PermissionRequest) -> ConsentAnswer:
            await self.happen(step.meanwhile)
            if step.choice == "crash":
                raise RuntimeError("the UI is gone")
            expires = SHORT_MS if step.expires and step.holds != "once" else None
            if step.choice == "allow":
                until = None if expires is None else self.desk.now() + expires
                answered.append(Allow(step.client, step.wanted, step.holds, until))
            return ConsentAnswer(step.choice, step.holds, expires)  # type: ignore[arg-type]

        self.desk.person = person
        granted = await self.desk.security.permissions.request(step.client, step.wanted)
        if granted:
            # An answer for an app that is another by then, or has ended, goes to nobody.
            is_for_it = answered and step.meanwhile not in ("change", "session")
            was_allowed = is_for_it or self.has(step.client, step.wanted)
            assert was_allowed, f"{step} was granted, and nobody said so"
            self.allows += answered
        if granted and answered and step.holds == "once":
            assert self.desk.security.checker.spend(
                step.client, "messaging.read", step.wanted.scope
            )
            assert not self.desk.security.checker.spend(
                step.client, "messaging.read", step.wanted.scope
            )
            self.allows.remove(answered[0])

    async def happen(self, event: str) -> None:
        desk = self.desk
        if event == "revoke":
            if desk.keeper.locked:
                # The person is told that it holds for this run only, unless the vault is unlocked.
                with pytest.raises(DeskbusError) as told:
                    await desk.settings.revoke(TICKER.app, None, None)
                assert told.value.kind is DEGRADED
                self.coming_back += [a for a in self.allows if a.holds == "always"]
            else:
                await desk.settings.revoke(TICKER.app, None, None)
                self.coming_back.clear()
            self.allows.clear()
        elif event == "session":
            desk.security.forget_session(TICKER.app)
            self.keep(lambda allow: allow.holds == "always")
        elif event == "change":
            self.identity = CodeIdentity(bound=self.identity.bound + "+")
            desk.security.apps.register(TICKER.app, desk.rules, self.identity)
            self.allows.clear()
        elif event in ("deny b", "no policy"):
            self.denies_b = event == "deny b"
            self.apply_policy()
        elif event == "time":
            desk.clock.pass_ms(SHORT_MS)
        elif event in ("locked", "unlocked"):
            desk.keeper.locked = event == "locked"
            if event == "unlocked":
                if await desk.store.open():
                    desk.security.decisions_known()
                if not desk.store.is_behind or await desk.store.save_in_time():
                    self.coming_back.clear()

    def restart(self) -> None:
        before = self.desk
        self.desk = Desk(
            declares=(ALL,), keeper=before.keeper, clock=before.clock, identity=self.identity
        )
        self.keep(lambda allow: allow.holds == "always")
        self.allows += self.coming_back

    def apply_policy(self) -> None:
        self.desk.security.apply(DENY if self.denies_b else NO_POLICY)

    def keep(self, stays: Callable[[Allow], bool]) -> None:
        self.allows = [allow for allow in self.allows if stays(allow)]

    def has(self, client: ClientId, wanted: Grant) -> bool:
        now = self.desk.now()
        return any(
            self.desk.security.rules.covers(allow.grant, wanted)
            and (allow.until is None or now < allow.until)
            and (allow.holds != "once" or allow.client == client)
            for allow in self.allows
        )

    def check(self) -> None:
        for topic in TOPICS:
            if self.desk.security.checker.may_read(TICKER, topic):
                assert self.has(TICKER, Grant("messaging.read", topic)), f"{topic} may be read"
                assert not (self.denies_b and topic == "b"), "the policy denies it"
            assert not self.desk.security.checker.may_write(TICKER, topic)


@settings(max_examples=300)
@given(STEPS)
def test_nothing_ends_in_allow_without_a_matching_allow(steps: list[Ask | str]) -> None:
    anyio.run(World().play, steps)
