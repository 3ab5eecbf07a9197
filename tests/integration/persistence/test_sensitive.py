"""Messages of sensitive topics: encrypted on the disk, plain for those who may read them."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from deskbus_protocol.bus import RefusedParams
from deskbus_protocol.errors import DeskbusError
from tests.integration.shell import LIMIT_S, TestShell, start_shell
from tests.integration.vault.secretservice import SecretService

pytestmark = pytest.mark.requirement("3.3")

CANARY = "canary-on-a-topic-91ce"
CONFIG = """
[[apps]]
id = "desk.feed"
name = "Feed"
grants = [
    { permission = "history", scope = "#" },
    { permission = "messaging.write", scope = "orders.#" },
    { permission = "messaging.read", scope = "orders.#" },
]

[persistence]
topics = ["orders.#"]
sensitive = ["orders.private.#"]
"""


async def publish(shell: TestShell, topic: str, text: str) -> None:
    async with shell.app("desk.feed") as feed:
        await feed.publish(topic, {"text": text}, durable=True, confirm=True)


async def persistence(shell: TestShell) -> dict[str, str]:
    report = await shell.client.call("health.get", {}, result=dict)
    return dict(report["components"]["persistence"])


async def replayed(shell: TestShell, pattern: str) -> list[bytes]:
    async with shell.app("desk.feed") as feed, feed.listen(pattern) as messages:
        count = await feed.replay(pattern)
        found: list[bytes] = []
        if count:
            async for message in messages:
                found.append(bytes(message.payload))
                if len(found) == count:
                    break
        return found


def on_disk(data: Path) -> bytes:
    return b"".join(file.read_bytes() for file in (data / "messages").glob("*.seg"))


async def test_a_sensitive_topic_is_encrypted_on_the_disk_and_replayed(
    keychain: SecretService, tmp_path: Path, anyio_backend: str
) -> None:
    data = tmp_path / "data"
    async with start_shell(data, config=CONFIG) as shell:
        await publish(shell, "orders.public", "plain as day")
        await publish(shell, "orders.private.bonus", CANARY)
        await shell.client.call("vault.rotate", {})
        await publish(shell, "orders.private.bonus", CANARY)
    assert b"plain as day" in on_disk(data)
    assert CANARY.encode() not in on_disk(data)
    async with start_shell(data, config=CONFIG) as shell:
        assert len(await replayed(shell, "orders.private.#")) == 2
        assert CANARY in str(await replayed(shell, "orders.private.#"))
        assert len(await replayed(shell, "orders.#")) == 3


async def test_a_request_says_as_a_publish_does_that_it_is_in_memory_only(
    tmp_path: Path, anyio_backend: str
) -> None:
    waiting = CONFIG + 'sensitive_without_vault = "memory"\n'
    async with (
        start_shell(tmp_path / "data", config=waiting) as shell,
        shell.app("desk.feed") as feed,
        shell.app("desk.feed", "responder") as responder,
        responder.subscribe("orders.#") as questions,
    ):
        for topic, in_memory in (("orders.private.bonus", True), ("orders.public", False)):
            assert (await feed.publish(topic, 1, confirm=True)).in_memory is in_memory
            await questions.receive()

            async def answer() -> None:
                await responder.answer(await questions.receive(), "yes")

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(answer)
                assert (await feed.request(topic, 1)).in_memory is in_memory


async def test_a_notification_is_told_to_be_refused_and_health_tells_of_what_is_in_memory(
    tmp_path: Path, anyio_backend: str
) -> None:
    for choice, words in (("refuse", "refused"), ("memory", "wait in memory")):
        config = f'{CONFIG}sensitive_without_vault = "{choice}"\n'
        refused: list[RefusedParams] = []
        async with (
            start_shell(tmp_path / choice, config=config) as shell,
            shell.app("desk.feed") as feed,
        ):
            # The first one has the vault looked for, and waits until that is known.
            await feed.publish("orders.private.bonus", {"text": CANARY})
            with anyio.fail_after(LIMIT_S):
                while (await persistence(shell))["status"] == "ok":
                    await anyio.sleep(0.05)
            feed.on_refused = refused.append
            await feed.publish("orders.private.bonus", {"text": CANARY})
            # A refusal is told before the call behind it is answered.
            await feed.call("session.ping")
            told = await persistence(shell)
        assert [word.topic for word in refused] == ["orders.private.bonus"] * (choice == "refuse")
        assert (told["status"], words in told["detail"]) == ("degraded", True), told


async def test_while_the_vault_is_locked_sensitive_messages_wait_and_others_are_written(
    keychain: SecretService, tmp_path: Path, anyio_backend: str
) -> None:
    data = tmp_path / "data"
    async with start_shell(data, config=CONFIG) as shell:
        await publish(shell, "orders.private.bonus", CANARY)
    keychain.stop()
    keychain.start(unlocked=False)
    waiting = CONFIG + 'sensitive_without_vault = "memory"\n'
    async with start_shell(data, config=waiting) as shell:
        async with shell.app("desk.feed") as feed:
            await feed.publish("orders.private.bonus", {"text": CANARY}, confirm=True)
        with pytest.raises(DeskbusError) as refused:
            await publish(shell, "orders.private.bonus", CANARY)
        assert refused.value.kind.name in ("degraded", "unavailable")
        await publish(shell, "orders.public", "written at once")
        assert b"written at once" in on_disk(data)
        report = await shell.client.call("health.get", {}, result=dict)
        assert "can't be encrypted" in report["components"]["persistence"]["detail"]
        assert CANARY.encode() not in on_disk(data)
        keychain.unlock()
        await shell.client.call("vault.unlock", {})
        with anyio.fail_after(LIMIT_S):
            while report["components"]["persistence"]["status"] != "ok":
                await anyio.sleep(0.1)
                report = await shell.client.call("health.get", {}, result=dict)
        assert len(await replayed(shell, "orders.private.#")) >= 2
        assert len(await replayed(shell, "orders.public")) == 1
    assert CANARY.encode() not in on_disk(data)


async def test_without_any_vault_a_sensitive_message_is_refused_and_drags_no_other_along(
    tmp_path: Path, anyio_backend: str
) -> None:
    data = tmp_path / "data"
    async with start_shell(data, config=CONFIG) as shell:
        with anyio.fail_after(LIMIT_S):
            report: dict[str, Any] = {"components": {"persistence": {"status": "ok"}}}
            while report["components"]["persistence"]["status"] == "ok":
                report = await shell.client.call("health.get", {}, result=dict)
                await anyio.sleep(0.05)
        assert "no keychain" in report["components"]["persistence"]["detail"]
        async with shell.app("desk.feed") as feed:
            for durable in (False, True):
                with pytest.raises(DeskbusError) as refused:
                    await feed.publish(
                        "orders.private.bonus", {"text": CANARY}, durable=durable, confirm=True
                    )
                assert refused.value.kind.name == "unavailable"
        await publish(shell, "orders.public", "written at once")
        assert b"written at once" in on_disk(data)
    assert CANARY.encode() not in on_disk(data)
