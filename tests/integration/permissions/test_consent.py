"""Consent: deny by default, a person decides, and only a proven answer counts."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from deskbus_protocol.client import Client
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.ui import ShowDialogParams
from tests.integration.conftest import CONFIG
from tests.integration.shell import LIMIT_S, TestShell, answer_to, start_shell
from tests.integration.vault.secretservice import SecretService

PRICES = {"permission": "messaging.read", "scope": "prices.#"}


async def ask(client: Client, **changes: object) -> str:
    answer = await client.call("permissions.request", {**PRICES, **changes}, result=dict)
    return str(answer["state"])


@pytest.mark.requirement("3.1")
async def test_the_first_use_shows_a_dialog_and_allow_lets_it_through(shell: TestShell) -> None:
    shell.person = shell.allow
    async with shell.app("desk.ticker") as ticker, shell.app("desk.feed") as feed:
        async with ticker.subscribe("prices.#") as prices:
            await feed.publish("prices.EURUSD", 1, confirm=True)
            assert (await prices.receive()).topic == "prices.EURUSD"
        async with ticker.subscribe("prices.EURUSD"):
            pass
    (dialog,) = shell.dialogs
    assert (dialog.identity.app, dialog.identity.name) == ("desk.ticker", "Ticker")
    assert (dialog.permission, dialog.scope) == ("messaging.read", "prices.#")
    assert dialog.statement.startswith("Ticker wants to read messages")


@pytest.mark.requirement("3.2")
async def test_deny_blocks_with_an_error_that_says_what_to_do(shell: TestShell) -> None:
    shell.person = shell.deny
    async with shell.app("desk.ticker") as ticker:
        with pytest.raises(DeskbusError) as refused:
            async with ticker.subscribe("prices.#"):
                pass
    assert refused.value.kind.name == "permission_denied"
    assert refused.value.action


@pytest.mark.requirement("3.1")
async def test_the_app_s_reason_is_shown_and_hidden_characters_are_written_out(
    shell: TestShell,
) -> None:
    shell.person = shell.deny
    async with shell.app("desk.ticker") as ticker:
        await ask(ticker, reason="Show \u202elive\u202c prices\u200b")
    assert shell.dialogs[0].reason == "Show \\u{202e}live\\u{202c} prices\\u{200b}"


@pytest.mark.requirement("3.2")
async def test_what_is_not_declared_is_refused_without_a_prompt(shell: TestShell) -> None:
    shell.person = shell.allow
    async with shell.app("desk.ticker") as ticker:
        assert await ask(ticker, scope="#") == "denied"
        assert await ask(ticker, permission="messaging.write") == "denied"
    assert shell.dialogs == []


async def early(shell: TestShell, asked: ShowDialogParams) -> dict[str, Any]:
    return await shell.allow(asked, after_ms=0)


async def never_shown(_: TestShell, asked: ShowDialogParams) -> dict[str, Any]:
    await anyio.sleep(0.55)
    return answer_to(asked, "allow")


async def wrong_nonce(shell: TestShell, asked: ShowDialogParams) -> dict[str, Any]:
    return {**await shell.allow(asked), "nonce": "guessed"}


async def wrong_hash(shell: TestShell, asked: ShowDialogParams) -> dict[str, Any]:
    return {**await shell.allow(asked), "descriptorHash": "0" * 64}


async def wrong_dialog(shell: TestShell, asked: ShowDialogParams) -> dict[str, Any]:
    return {**await shell.allow(asked), "dialog": "older"}


async def dismissed(shell: TestShell, asked: ShowDialogParams) -> dict[str, Any]:
    await shell.shown(asked)
    return answer_to(asked, "dismissed", remember="always")


@pytest.mark.requirement("3.2")
@pytest.mark.parametrize(
    "person", [early, never_shown, wrong_nonce, wrong_hash, wrong_dialog, dismissed]
)
async def test_an_answer_without_proof_is_a_denial_and_is_not_remembered(
    shell: TestShell, person: Any
) -> None:
    async def answer(asked: ShowDialogParams) -> dict[str, Any]:
        result: dict[str, Any] = await person(shell, asked)
        return result

    shell.person = answer
    async with shell.app("desk.ticker") as ticker:
        assert await ask(ticker) == "denied"
        shell.person = shell.allow
        assert await ask(ticker) == "granted"


@pytest.mark.requirement("3.2")
async def test_silence_is_a_denial_after_the_time_is_up(tmp_path: Path) -> None:
    async def late(asked: ShowDialogParams) -> dict[str, Any]:
        await shell.shown(asked)
        await anyio.sleep_forever()
        raise AssertionError

    impatient = f"{CONFIG}\n[consent]\ntimeout_s = 1\n"
    async with start_shell(tmp_path / "data", config=impatient) as shell:
        shell.person = late
        async with shell.app("desk.ticker") as ticker:
            with anyio.fail_after(LIMIT_S):
                assert await ask(ticker) == "denied"


@pytest.mark.requirement("3.2")
async def test_an_app_can_not_answer_a_prompt_itself(shell: TestShell) -> None:
    async with shell.app("desk.ticker") as ticker, anyio.create_task_group() as tasks:
        shown = anyio.Event()

        async def person(asked: ShowDialogParams) -> dict[str, Any]:
            shown.set()
            return await shell.deny(asked)

        shell.person = person
        tasks.start_soon(ask, ticker)
        await shown.wait()
        with pytest.raises(DeskbusError) as refused:
            await ticker.call("ui.dialogShown", {"dialog": "any"})
    assert refused.value.kind.name == "permission_denied"


@pytest.mark.requirement("3.2")
async def test_identical_wishes_share_one_prompt(shell: TestShell) -> None:
    shell.person = shell.allow
    states: list[str] = []

    async def wish(client: Client) -> None:
        states.append(await ask(client))

    async with shell.app("desk.ticker") as ticker, anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(wish, ticker)
    assert states == ["granted"] * 50
    assert len(shell.dialogs) == 1


@pytest.mark.requirement("3.2")
async def test_a_remembered_choice_survives_a_restart_and_another_does_not(
    keychain: SecretService, tmp_path: Path
) -> None:
    data_dir = tmp_path / "data"

    async def remember(asked: ShowDialogParams) -> dict[str, Any]:
        return {**await first.allow(asked), "remember": "always"}

    async with start_shell(data_dir, config=CONFIG) as first:
        first.person = remember
        async with first.app("desk.ticker") as ticker:
            assert await ask(ticker) == "granted"
        first.person = first.allow
        async with first.app("desk.blotter") as blotter:
            assert await ask(blotter, permission="messaging.write", scope="orders.#") == "granted"
    async with start_shell(data_dir, config=CONFIG) as second:
        async with second.app("desk.ticker") as ticker, second.app("desk.blotter") as blotter:
            assert (await ticker.call("permissions.query", PRICES, result=dict)) == {
                "state": "granted"
            }
            wanted = {"permission": "messaging.write", "scope": "orders.#"}
            assert (await blotter.call("permissions.query", wanted, result=dict)) == {
                "state": "prompt"
            }


@pytest.mark.requirement("3.2")
async def test_a_corrupt_store_allows_nothing_and_is_kept_aside(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    (data_dir / "decisions.json").write_text('{"version":1,"decisions":[{"app":"desk.ticker"')
    async with start_shell(data_dir, config=CONFIG) as shell:
        async with shell.app("desk.ticker") as ticker:
            assert (await ticker.call("permissions.query", PRICES, result=dict)) == {
                "state": "prompt"
            }
            health = await ticker.call("health.get", result=dict)
    assert health["components"]["permissions"]["status"] == "degraded"
    assert (data_dir / "decisions.unreadable-1").exists()


@pytest.mark.requirement("3.2")
async def test_what_was_allowed_for_the_session_ends_with_it(shell: TestShell) -> None:
    shell.person = shell.allow
    async with shell.app("desk.ticker") as ticker:
        assert await ask(ticker) == "granted"
    async with shell.app("desk.ticker") as ticker:
        answer = await ticker.call("permissions.query", PRICES, result=dict)
    assert answer == {"state": "prompt"}


async def test_an_app_that_leaves_takes_its_prompt_away(shell: TestShell) -> None:
    shown, closed = anyio.Event(), anyio.Event()

    async def person(_: ShowDialogParams) -> dict[str, Any]:
        shown.set()
        await anyio.sleep_forever()
        raise AssertionError

    shell.person = person
    shell.client.observe("ui.closeDialog", lambda _: closed.set())
    async with shell.app("desk.ticker") as ticker, anyio.create_task_group() as tasks:
        tasks.start_soon(ask, ticker)
        await shown.wait()
        tasks.cancel_scope.cancel()
    with anyio.fail_after(LIMIT_S):
        await closed.wait()
