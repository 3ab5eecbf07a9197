"""Operators see history, dead letters and counts from the command line, and put letters right."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.integration.bus.test_delivery import gone, number, resumed, take
from tests.integration.commands.test_cli import run
from tests.integration.shell import LIMIT_S, TestShell, start_shell

EXPIRED = 3


async def ask(shell: TestShell, data: Path, method: str, **params: object) -> dict[str, Any]:
    code, out, err = await run("call", method, json.dumps(params), data_dir=data)
    assert code == 0, err
    answer: dict[str, Any] = json.loads(out)
    return answer


async def counted(data: Path, name: str, **labels: str) -> float:
    """The value of a metric as `deskbus metrics` prints it."""
    code, out, err = await run("metrics", data_dir=data)
    assert code == 0, err
    (family,) = (each for each in json.loads(out) if each["name"] == name)
    return float(
        sum(s["value"] for s in family["samples"] if labels.items() <= s["labels"].items())
    )


@pytest.mark.requirement("7.1")
@pytest.mark.requirement("7.5")
async def test_history_dead_letters_and_counts_are_in_view(
    tmp_path: Path, anyio_backend: str
) -> None:
    data = tmp_path / "data"
    async with start_shell(data, config="tools = true\n", consent="allow") as shell:
        async with shell.app("desk.feed") as feed:
            async with shell.app("desk.blotter") as blotter:
                await blotter.call("bus.subscribe", {"pattern": "prices.#"})
            await gone(shell, "desk.blotter")
            for n in range(EXPIRED):
                await feed.publish("prices.EURUSD", n, ttl=1, confirm=True)
            await feed.publish("prices.EURUSD", EXPIRED, confirm=True)
            with anyio.fail_after(LIMIT_S):
                letters = await ask(shell, data, "bus.deadLetters")
                while letters["total"] < EXPIRED:
                    letters = await ask(shell, data, "bus.deadLetters")
        told = [(each["app"], each["reason"], each["message"]["payload"])
                for each in letters["letters"]]  # fmt: skip
        assert told == [("desk.blotter", "expired", n) for n in reversed(range(EXPIRED))]
        queues = (await ask(shell, data, "bus.queued"))["queues"]
        (queue,) = (each for each in queues if each["app"] == "desk.blotter")
        assert (queue["app"], queue["online"], queue["queued"]) == ("desk.blotter", False, 1)
        assert await counted(data, "deskbus_dead_letters") == EXPIRED
        assert await counted(data, "deskbus_queued_messages") == 1
        history = await ask(shell, data, "bus.history", topic="prices.EURUSD")
        assert [each["payload"] for each in history["messages"]] == list(range(EXPIRED + 1))

        newest, *_ = letters["letters"]
        async with resumed(shell, "desk.blotter", "prices.#") as (_, messages):
            await take(messages, 1)
            assert await ask(shell, data, "bus.redrive", numbers=[newest["number"]]) == {
                "done": 1,
                "left": 0,
            }
            (again,) = await take(messages, 1)
            assert number(again) == EXPIRED - 1
        assert await ask(shell, data, "bus.purge") == {"done": EXPIRED - 1, "left": 0}
        assert (await ask(shell, data, "bus.deadLetters"))["total"] == 0
