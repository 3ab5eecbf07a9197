"""Prompts: one for identical wishes, one an app, three in all, first come first served."""

import anyio
import pytest

from deskbus.security.consent.prompts import MAX_WAITING_OF_AN_APP, PromptOutcome, Prompts
from deskbus.security.permission_request import PermissionRequest, Permit
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.permissions import Grant

pytestmark = pytest.mark.requirement("3.1")


def wish(app: str, topic: str = "a") -> PermissionRequest:
    return PermissionRequest(ClientId(app, "main"), Grant("messaging.read", topic))


class Desk:
    """A person who answers when the test says so."""

    def __init__(self) -> None:
        self.open: dict[str, anyio.Event] = {}
        self.order: list[str] = []
        self.most = 0
        self.settled: list[tuple[str, bool]] = []
        self.prompts = Prompts(self._ask)

    async def _ask(self, asked: PermissionRequest) -> PromptOutcome:
        key = f"{asked.identity.app} {asked.grant.scope}"
        self.order.append(key)
        answered = self.open[key] = anyio.Event()
        self.most = max(self.most, len(self.open))
        try:
            await answered.wait()
        finally:
            del self.open[key]
        return PromptOutcome(Permit(asked.identity, asked.grant))

    async def join(self, asked: PermissionRequest) -> None:
        settled = await self.prompts.join(asked)
        self.settled.append((asked.identity.app, settled.permit is not None))


async def test_one_is_open_for_an_app_and_three_in_all_in_the_order_of_asking() -> None:
    desk = Desk()
    wanted = [(app, topic) for topic in ("x", "y") for app in ("a", "b", "c", "d")]
    async with desk.prompts.running(), anyio.create_task_group() as tasks:
        await anyio.wait_all_tasks_blocked()
        for app, topic in wanted:
            tasks.start_soon(desk.join, wish(app, topic))
            await anyio.wait_all_tasks_blocked()
        assert list(desk.open) == ["a x", "b x", "c x"]
        while desk.open:
            next(iter(desk.open.values())).set()
            await anyio.wait_all_tasks_blocked()
            assert len({key.split()[0] for key in desk.open}) == len(desk.open)
        tasks.cancel_scope.cancel()
    assert desk.most == 3
    assert desk.order[:4] == ["a x", "b x", "c x", "d x"]
    assert len(desk.settled) == 8


async def test_a_prompt_that_nobody_waits_for_any_more_is_taken_away() -> None:
    desk = Desk()
    async with desk.prompts.running(), anyio.create_task_group() as tasks:
        await anyio.wait_all_tasks_blocked()
        async with anyio.create_task_group() as waiting:
            for _ in range(2):
                waiting.start_soon(desk.join, wish("a"))
            await anyio.wait_all_tasks_blocked()
            assert len(desk.open) == 1
            waiting.cancel_scope.cancel()
        await anyio.wait_all_tasks_blocked()
        assert desk.open == {}
        tasks.start_soon(desk.join, wish("a"))
        await anyio.wait_all_tasks_blocked()
        assert desk.order == ["a a", "a a"]
        tasks.cancel_scope.cancel()


async def test_an_app_that_wants_too_much_at_once_is_refused() -> None:
    desk = Desk()
    async with desk.prompts.running(), anyio.create_task_group() as tasks:
        await anyio.wait_all_tasks_blocked()
        for number in range(MAX_WAITING_OF_AN_APP):
            tasks.start_soon(desk.join, wish("a", f"t{number}"))
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(DeskbusError) as refused:
            await desk.prompts.join(wish("a", "more"))
        assert refused.value.kind.name == "overloaded"
        tasks.cancel_scope.cancel()


async def test_before_anybody_can_be_asked_everything_is_denied() -> None:
    assert (await Desk().prompts.join(wish("a"))).permit is None
