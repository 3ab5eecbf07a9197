"""The samples of the page on Python's client."""

import re
from pathlib import Path
from typing import Any

import anyio
import pytest

from deskbus_protocol.client import Client
from tests.integration.shell import LIMIT_S, TestShell

GUIDE = Path(__file__).resolve().parents[3] / "docs/python-client.md"
SAMPLES = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


class Shown:
    """The output of the samples."""

    def __init__(self) -> None:
        self.words: list[tuple[Any, ...]] = []
        self._changed = anyio.Event()

    def __call__(self, *words: Any) -> None:
        self.words.append(words)
        self._changed.set()
        self._changed = anyio.Event()

    async def until(self, *words: Any) -> None:
        with anyio.fail_after(LIMIT_S):
            while words not in self.words:
                await self._changed.wait()


def run_samples(**names: object) -> dict[str, Any]:
    known: dict[str, Any] = dict(names)
    for sample in SAMPLES:
        exec(compile(sample, GUIDE.name, "exec"), known)
    return known


@pytest.mark.requirement("6.1")
async def test_the_samples_do_what_the_page_says(open_shell: TestShell) -> None:
    shown = Shown()

    async def ticket() -> str:
        return await open_shell.ticket("desk.orders")

    samples = run_samples(pipe=open_shell.hello.pipe, ticket=ticket, show=shown)
    async with open_shell.app("desk.feed") as feed, anyio.create_task_group() as tasks:
        tasks.start_soon(samples["main"])
        await shown.until("open")
        with anyio.fail_after(LIMIT_S):
            while (await feed.publish("orders.new", 1, confirm=True)).receivers == 0:
                await anyio.lowlevel.checkpoint()
        await shown.until("orders.new", 1, 0)
        tasks.cancel_scope.cancel()


async def test_a_request_shows_its_answer_or_what_to_do(open_shell: TestShell) -> None:
    shown = Shown()
    samples = run_samples(pipe="", ticket=None, show=shown)

    async def answer(blotter: Client, requests: Any) -> None:
        await blotter.answer(await requests.receive(), {"filled": True})

    async with open_shell.app("desk.ticker") as asker, open_shell.app("desk.blotter") as blotter:
        await samples["ask"](asker)
        async with (
            blotter.subscribe("orders.prefill") as requests,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(answer, blotter, requests)
            await samples["ask"](asker)
    assert [words[0] for words in shown.words] == ["no_subscriber", "desk.blotter"]
    assert shown.words[1][1] == {"filled": True}


async def test_a_publish_shows_where_it_went(open_shell: TestShell) -> None:
    shown = Shown()
    samples = run_samples(pipe="", ticket=None, show=shown)
    async with open_shell.app("desk.ticker") as sender, open_shell.app("desk.blotter") as reader:
        async with reader.subscribe("orders.#"):
            await samples["place"](sender)
    assert shown.words == [(1, 1)]
