"""Panels stay true to what they show, and act on no more than a person saw."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from deskbus.ui.panels.panels import Panels
from deskbus.ui.shell import Shell
from deskbus_protocol.errors import CONFLICT, NOT_FOUND, UNAVAILABLE, DeskbusError
from deskbus_protocol.method import Empty
from deskbus_protocol.panels import (
    DrawPanelParams,
    PanelAction,
    PanelActionResult,
    PanelCell,
    PanelColumn,
    PanelContent,
    PanelDescriptor,
    PanelQuery,
    PanelRow,
)

LIMIT_S = 20


class Screen:
    """The shell's side: keeps every descriptor that it is asked to draw."""

    slow = False

    def __init__(self) -> None:
        self.drawn: list[PanelDescriptor] = []
        self._sent, self._received = anyio.create_memory_object_stream[PanelDescriptor](100)

    async def call(
        self, method: str, params: object, result: type[Any], *, timeout_s: float
    ) -> Any:
        assert method == "ui.openPanel"
        self._draw(params)
        return Empty()

    def notify(self, method: str, params: object) -> None:
        assert method == "ui.updatePanel"
        self._draw(params)

    async def next(self) -> PanelDescriptor:
        with anyio.fail_after(LIMIT_S):
            return await self._received.receive()

    def close(self) -> None:
        self._sent.close()
        self._received.close()

    def _draw(self, params: object) -> None:
        assert isinstance(params, DrawPanelParams)
        self.drawn.append(params.descriptor)
        self._sent.send_nowait(params.descriptor)


class Fruit:
    """A panel of fruit that can be eaten."""

    name = "fruit"

    def __init__(self) -> None:
        self.left = ["apple", "pear"]
        self.eaten: list[str] = []
        self.problem: Exception | None = None
        self.saved: list[Path] = []

    async def describe(self, query: PanelQuery) -> PanelContent:
        if self.problem:
            raise self.problem
        return PanelContent(
            title="Fruit",
            columns=[PanelColumn(id="name", title="Name")],
            rows=[
                PanelRow(id=one, cells=[PanelCell(text=one)], actions=["eat"])
                for one in self.left
                if query.search in one
            ],
            row_actions=[PanelAction(id="eat", label="Eat"), PanelAction(id="peel", label="Peel")],
            actions=[
                PanelAction(id="save", label="Save", saves="fruit.json"),
                PanelAction(id="sell", label="Sell", disabled=True),
            ],
        )

    async def act(self, action: str, row: str | None, path: Path | None) -> str:
        if path is not None:
            self.saved.append(path)
            return "Saved."
        assert action == "eat"
        assert row is not None
        self.left.remove(row)
        self.eaten.append(row)
        return "Eaten."


@pytest.fixture
def fruit() -> Fruit:
    return Fruit()


@asynccontextmanager
async def running(fruit: Fruit) -> AsyncIterator[tuple[Panels, Screen]]:
    shell, screen = Shell(), Screen()
    shell.connect(screen)
    panels = Panels(shell, [fruit])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(panels.run)
        await anyio.wait_all_tasks_blocked()
        yield panels, screen
        tasks.cancel_scope.cancel()
    screen.close()


def names(descriptor: PanelDescriptor) -> list[str]:
    return [row.id for row in descriptor.content.rows]


async def test_a_panel_is_drawn_anew_with_a_higher_revision_when_it_changes(fruit: Fruit) -> None:
    async with running(fruit) as (panels, screen):
        await panels.open("fruit", PanelQuery())
        first = await screen.next()
        fruit.left.append("plum")
        panels.changed("fruit")
        second = await screen.next()
    assert names(second) == ["apple", "pear", "plum"]
    assert (first.panel, first.revision + 1) == (second.panel, second.revision)


async def test_many_changes_at_once_are_one_drawing(fruit: Fruit) -> None:
    async with running(fruit) as (panels, screen):
        await panels.open("fruit", PanelQuery())
        for _ in range(50):
            panels.changed("fruit")
        await screen.next()
        await screen.next()
        await anyio.wait_all_tasks_blocked()
    assert len(screen.drawn) == 2


async def test_what_a_person_looks_for_comes_back_as_a_drawing(fruit: Fruit) -> None:
    async with running(fruit) as (panels, screen):
        panel = await panels.open("fruit", PanelQuery())
        await screen.next()
        panels.look(panel, PanelQuery(search="app"))
        assert names(await screen.next()) == ["apple"]


async def test_opening_a_panel_again_draws_in_the_same_window(fruit: Fruit) -> None:
    async with running(fruit) as (panels, _):
        first = await panels.open("fruit", PanelQuery())
        assert await panels.open("fruit", PanelQuery(search="pear")) == first


async def test_an_action_that_was_offered_is_done_and_seen(fruit: Fruit) -> None:
    async with running(fruit) as (panels, screen):
        panel = await panels.open("fruit", PanelQuery())
        shown = await screen.next()
        assert await panels.act(panel, shown.revision, "eat", "pear", None) == "Eaten."
        assert names(await screen.next()) == ["apple"]
    assert fruit.eaten == ["pear"]


@pytest.mark.parametrize(
    ("action", "row", "path"),
    [
        ("peel", "apple", None),
        ("eat", "stone", None),
        ("eat", None, None),
        ("sell", None, None),
        ("save", None, None),
        ("eat", "apple", Path("/etc/passwd")),
        ("poison", "apple", None),
    ],
)
async def test_an_action_that_was_not_offered_is_not_done(
    fruit: Fruit, action: str, row: str | None, path: Path | None
) -> None:
    async with running(fruit) as (panels, screen):
        panel = await panels.open("fruit", PanelQuery())
        shown = await screen.next()
        with pytest.raises(DeskbusError) as refused:
            await panels.act(panel, shown.revision, action, row, path)
    assert refused.value.kind is CONFLICT
    assert (fruit.eaten, fruit.saved) == ([], [])


async def test_an_action_on_a_row_that_went_meanwhile_is_not_done(fruit: Fruit) -> None:
    async with running(fruit) as (panels, screen):
        panel = await panels.open("fruit", PanelQuery())
        shown = await screen.next()
        fruit.left.remove("pear")
        panels.changed("fruit")
        await screen.next()
        with pytest.raises(DeskbusError) as refused:
            await panels.act(panel, shown.revision, "eat", "pear", None)
    assert refused.value.kind is CONFLICT


async def test_an_action_on_a_revision_that_was_never_shown_is_not_done(fruit: Fruit) -> None:
    async with running(fruit) as (panels, screen):
        panel = await panels.open("fruit", PanelQuery())
        shown = await screen.next()
        with pytest.raises(DeskbusError):
            await panels.act(panel, shown.revision + 1, "eat", "pear", None)
    assert fruit.eaten == []


async def test_a_file_is_saved_where_the_person_chose(fruit: Fruit, tmp_path: Path) -> None:
    async with running(fruit) as (panels, screen):
        panel = await panels.open("fruit", PanelQuery())
        shown = await screen.next()
        await panels.act(panel, shown.revision, "save", None, tmp_path / "fruit.json")
    assert fruit.saved == [tmp_path / "fruit.json"]


@pytest.mark.parametrize("problem", [DeskbusError(UNAVAILABLE, "No fruit today."), KeyError("x")])
async def test_a_fault_stands_above_the_rows_that_were_there(
    fruit: Fruit, problem: Exception
) -> None:
    async with running(fruit) as (panels, screen):
        await panels.open("fruit", PanelQuery())
        await screen.next()
        fruit.problem = problem
        panels.changed("fruit")
        shown = await screen.next()
        assert names(shown) == ["apple", "pear"]
        assert shown.content.error
        fruit.problem = None
        panels.changed("fruit")
        assert not (await screen.next()).content.error


async def test_a_closed_panel_is_not_drawn_and_takes_no_action(fruit: Fruit) -> None:
    async with running(fruit) as (panels, screen):
        panel = await panels.open("fruit", PanelQuery())
        shown = await screen.next()
        panels.closed(panel)
        panels.changed("fruit")
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(DeskbusError) as refused:
            await panels.act(panel, shown.revision, "eat", "pear", None)
    assert refused.value.kind is NOT_FOUND
    assert len(screen.drawn) == 1


async def test_without_a_shell_there_is_no_window_but_a_description(fruit: Fruit) -> None:
    panels = Panels(Shell(), [fruit])
    with pytest.raises(DeskbusError) as refused:
        await panels.open("fruit", PanelQuery())
    assert refused.value.kind is UNAVAILABLE
    assert len((await panels.describe("fruit", PanelQuery())).rows) == 2


async def test_a_panel_that_does_not_exist_is_told_with_those_that_do(fruit: Fruit) -> None:
    with pytest.raises(DeskbusError, match="fruit"):
        await Panels(Shell(), [fruit]).describe("vegetables", PanelQuery())


class OwnScreen(Screen):
    """A shell with a panel of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, object]] = []
        self.offers = True

    async def call(
        self, method: str, params: object, result: type[Any], *, timeout_s: float
    ) -> Any:
        self.asked.append((method, params))
        if method == "ui.describePanel":
            return PanelContent(
                title="Orders",
                actions=[PanelAction(id="close", label="Close")] if self.offers else [],
            )
        if method == "ui.actInPanel":
            return PanelActionResult(message="Closed.")
        return Empty()


async def test_a_panel_of_the_shells_own_is_described_and_acted_in_by_the_shell() -> None:
    shell, screen = Shell(), OwnScreen()
    shell.connect(screen)
    panels = Panels(shell, [Fruit()])
    panels.register("orders", "Orders")
    assert [(one.name, one.title, one.own) for one in panels.listed()] == [
        ("fruit", "Fruit", False),
        ("orders", "Orders", True),
    ]
    assert (await panels.describe("orders", PanelQuery())).title == "Orders"
    assert await panels.perform("orders", PanelQuery(), "close", None) == "Closed."
    assert [method for method, _ in screen.asked] == [
        "ui.describePanel",
        "ui.describePanel",
        "ui.actInPanel",
    ]
    screen.offers = False
    with pytest.raises(DeskbusError) as refused:
        await panels.perform("orders", PanelQuery(), "close", None)
    assert refused.value.kind is CONFLICT
    screen.close()


async def test_a_shell_can_replace_its_own_panel_and_none_of_ours() -> None:
    panels = Panels(Shell(), [Fruit()])
    panels.register("orders", "Orders")
    panels.register("orders", "All orders")
    assert [one.title for one in panels.listed()] == ["Fruit", "All orders"]
    with pytest.raises(DeskbusError) as refused:
        panels.register("fruit", "Vegetables")
    assert refused.value.kind is CONFLICT


async def test_an_action_is_done_by_name_only_while_it_is_offered() -> None:
    fruit = Fruit()
    panels = Panels(Shell(), [fruit])
    await panels.perform("fruit", PanelQuery(), "eat", "apple")
    assert fruit.eaten == ["apple"]
    with pytest.raises(DeskbusError) as refused:
        await panels.perform("fruit", PanelQuery(), "eat", "apple")
    assert refused.value.kind is CONFLICT
