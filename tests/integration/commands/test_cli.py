"""The `deskbus` command against a headless backend."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from anyio.abc import Process

from demo.processes import process, processor_of, runs
from deskbus.config import runtime_dir_for
from tests.integration.shell import LIMIT_S, start_shell
from tests.support.configuration import app


def command(*words: str, data_dir: Path) -> list[str]:
    name, *rest = words
    return [sys.executable, "-m", "deskbus", name, "--data-dir", str(data_dir), *rest]


@asynccontextmanager
async def headless(data_dir: Path, *options: str) -> AsyncIterator[Process]:
    data_dir.mkdir(parents=True, exist_ok=True)
    words = command("serve", "--headless", "--consent", "allow", *options, data_dir=data_dir)
    with (data_dir / "stderr.log").open("ab") as errors:
        process = await anyio.open_process(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors
        )
    try:
        with anyio.fail_after(20):
            while not (runtime_dir_for(data_dir) / "developer.ticket").exists():
                await anyio.sleep(0.01)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        with anyio.CancelScope(shield=True):
            await process.wait()


@pytest.fixture(scope="module")
async def data_dir(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Path]:
    """Of one backend for all tests that leave it as they found it."""
    data_dir = tmp_path_factory.mktemp("running") / "data"
    async with headless(data_dir):
        yield data_dir


async def run(*words: str, data_dir: Path) -> tuple[int, str, str]:
    with anyio.fail_after(30):
        done = await anyio.run_process(command(*words, data_dir=data_dir), check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


async def test_call_prints_the_result_alone(data_dir: Path) -> None:
    code, out, _ = await run("call", "health.get", data_dir=data_dir)
    assert code == 0
    assert json.loads(out)["components"]["shell"]["status"] == "off"


async def test_what_one_publishes_the_other_prints(data_dir: Path) -> None:
    async with await anyio.open_process(
        command("sub", "desk.#", "--count", "2", data_dir=data_dir)
    ) as subscriber:
        published = 0
        with anyio.fail_after(30):
            while subscriber.returncode is None and published < 200:
                _, out, _ = await run("pub", "desk.news", '{"n": 1}', data_dir=data_dir)
                published += 1
                if json.loads(out)["receivers"] == 0:
                    continue
                await run("pub", "desk.news", '"second"', data_dir=data_dir)
                break
            assert subscriber.stdout is not None
            lines = b"".join([chunk async for chunk in subscriber.stdout]).splitlines()
    assert [json.loads(line)["payload"] for line in lines] == [{"n": 1}, "second"]


@pytest.mark.requirement("6.5")
@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("call", "no.method"), 2, "there is no method no.method"),
        (("call", "bus.publich", '{"topic":"a","payload":1}'), 2, "mean bus.publish"),
        (("call", "bus.publish", '{"topic":1,"payload":1}'), 2, "$.topic"),
        (("call", "bus.publish", '{"topic":"a","payload":1,"nope":1}'), 2, "nope"),
        (("call",), 2, "name a method"),
        (("pub", "a..b", "1"), 1, "empty level"),
        (("pub", "a.b", "{oops"), 2, "not JSON"),
        (("replay", "--topic", "a..b"), 1, "empty level"),
        (("replay", "--from", "yesterday"), 2, "ISO 8601"),
    ],
)
async def test_a_mistake_is_told_on_standard_error_with_its_code(
    data_dir: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    exit_code, out, err = await run(*words, data_dir=data_dir)
    assert (exit_code, out) == (code, "")
    assert told in err


PRETTY = '{\n  "topic": "a.b",\r\n  "payload": {"n":\n1}\n}\n'
REPEATED = '{"topic":"no","topic":"a.b","payload":1}'


@pytest.mark.parametrize(
    "words",
    [
        ("pub", "a.b", '{\n"a":1}'),
        ("pub", "a.b", '{"a":\r\n1}\r\n'),
        ("pub", "a.b", "1\n"),
        ("pub", "a.b", '{"a":1,"a":2}'),
        ("call", "bus.publish", PRETTY),
        ("call", "bus.publish", REPEATED),
    ],
)
async def test_json_as_people_write_it_is_taken(data_dir: Path, words: tuple[str, ...]) -> None:
    with anyio.fail_after(20):
        code, out, err = await run(*words, data_dir=data_dir)
    assert (code, err) == (0, "")
    assert "id" in json.loads(out)


@pytest.mark.parametrize("text", ['"\\ud83d"', "[" * 200 + "]" * 200, "NaN", "{"])
async def test_json_that_can_not_be_sent_is_told_at_once(data_dir: Path, text: str) -> None:
    with anyio.fail_after(20):
        code, out, err = await run("pub", "a.b", text, data_dir=data_dir)
    assert code == 2
    assert out == ""
    assert err.startswith("deskbus: ")


async def test_without_a_backend_the_command_says_how_to_start_one(tmp_path: Path) -> None:
    code, _, err = await run("call", "health.get", "--wait", "0", data_dir=tmp_path)
    assert code == 1
    assert "deskbus serve --headless" in err


async def test_doctor_tells_what_works_here_as_json(tmp_path: Path) -> None:
    code, out, _ = await run("doctor", data_dir=tmp_path)
    checks = json.loads(out)["checks"]
    verdicts = {name: check["verdict"] for name, check in checks.items()}
    # No test has a keychain that it has not started, and without one secrets don't last.
    assert verdicts.pop("keychain") == "degraded"
    assert {"python", "dataFolder", "runtimeFolder", "backend", "limits"} <= verdicts.keys()
    assert code == 1


@pytest.mark.requirement("6.4")
async def test_doctor_tells_how_the_running_backend_is(data_dir: Path) -> None:
    code, out, _ = await run("doctor", "--running", data_dir=data_dir)
    health = json.loads(out)
    assert (code == 0) == (health["status"] == "ok")
    assert {"bus", "persistence", "vault", "shell", "eventLoop", "disk"} <= health[
        "components"
    ].keys()


async def test_tools_reach_a_shell_s_backend_where_the_configuration_lets_them_in(
    tmp_path: Path,
) -> None:
    async with start_shell(tmp_path / "open", config="tools = true\n"):
        code, out, _ = await run("call", "health.get", data_dir=tmp_path / "open")
        assert code == 0
        assert json.loads(out)["components"]["shell"]["status"] == "ok"
    async with start_shell(tmp_path / "closed"):
        code, _, err = await run("call", "health.get", "--wait", "0", data_dir=tmp_path / "closed")
        assert code == 1
        assert "tools = true" in err


async def test_a_configuration_mistake_is_told_and_nothing_starts(tmp_path: Path) -> None:
    config = tmp_path / "bad.toml"
    config.write_text(app("Desk Feed", "x"))
    code, out, err = await run("serve", "--headless", "--config", str(config), data_dir=tmp_path)
    assert (code, out) == (78, "")
    assert "id" in err


async def test_stdio_without_a_shell_is_refused_with_what_to_do(tmp_path: Path) -> None:
    words = command("serve", "--stdio", data_dir=tmp_path / "data")
    with anyio.fail_after(30):
        done = await anyio.run_process(words, stdin=subprocess.DEVNULL, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"serve --headless" in done.stderr


async def test_a_signal_ends_the_backend_cleanly(tmp_path: Path) -> None:
    async with headless(tmp_path / "data") as process:
        process.send_signal(signal.SIGINT)
        with anyio.fail_after(20):
            assert await process.wait() == 0
    assert not (runtime_dir_for(tmp_path / "data") / "developer.ticket").exists()


@pytest.mark.requirement("7.5")
async def test_replay_and_log_show_what_is_on_disk(tmp_path: Path) -> None:
    config = tmp_path / "deskbus.toml"
    config.write_text('[persistence]\ntopics = ["orders.#"]\n')
    data_dir = tmp_path / "data"
    async with headless(data_dir, "--config", str(config)):
        for n in range(3):
            await run("pub", "orders.new", str(n), data_dir=data_dir)
        code, out, _ = await run("replay", "--topic", "orders.*", data_dir=data_dir)
        assert code == 0
        assert [json.loads(line)["payload"] for line in out.splitlines()] == [0, 1, 2]
        code, out, _ = await run("replay", "--from", "2100-01-01", data_dir=data_dir)
        assert (code, out) == (0, "")
        code, _, err = await run("replay", "--from", "yesterday", data_dir=data_dir)
        assert (code, "ISO 8601" in err) == (2, True)
    code, out, _ = await run("log", "stat", data_dir=data_dir)
    assert (code, json.loads(out)["messages"]) == (0, 3)
    code, out, _ = await run("log", "verify", data_dir=data_dir)
    assert (code, json.loads(out)) == (0, {"findings": []})
    (segment,) = (data_dir / "messages").glob("*.seg")
    segment.write_bytes(segment.read_bytes().replace(b'"payload":1', b'"payload":7'))
    code, out, _ = await run("log", "verify", data_dir=data_dir)
    (finding,) = json.loads(out)["findings"]
    assert code == 1
    assert finding["segment"] == segment.name


LARGE = 6000
PAYLOAD_CHARACTERS = 6000
IDLE_S = 0.5
FEED = app("desk.feed", grants=["messaging.write orders.#"])


async def test_a_large_replay_takes_no_more_memory_than_a_small_one_and_ends_with_its_reader(
    tmp_path: Path, anyio_backend: str
) -> None:
    """36 MB, of which a reader that comes late gets all, and one that leaves early what it read."""
    data_dir = tmp_path / "data"
    config = f'{FEED}[persistence]\ntopics = ["orders.#"]\n'
    async with start_shell(data_dir, config=f"tools = true\n{config}") as shell:
        async with shell.app("desk.feed", honest=False) as feed:
            await feed.publish("orders.small", 1, durable=True, confirm=True)
            for _ in range(LARGE - 1):
                await feed.publish("orders.large", "x" * PAYLOAD_CHARACTERS)
            await feed.publish("orders.large", "last", durable=True, confirm=True)
        small_lines, small_kib = await anyio.to_thread.run_sync(replay, data_dir, "orders.small")
        lines, kib = await anyio.to_thread.run_sync(replay, data_dir, "orders.large")
        assert (small_lines, lines) == (1, LARGE)
        assert kib - small_kib < 16 * 1024
        assert await anyio.to_thread.run_sync(read_one_line, data_dir, "orders.large") == (0, b"")


async def test_a_subscriber_s_reader_that_stands_still_costs_it_no_memory_and_gets_all(
    tmp_path: Path, anyio_backend: str
) -> None:
    data_dir = tmp_path / "data"
    async with start_shell(data_dir, config=f"tools = true\n{FEED}") as shell:
        async with shell.app("desk.feed", honest=False) as feed:

            async def printed(count: int) -> tuple[int, int]:
                """A reader that begins late, when as many more lines lie behind its first."""
                words = command("sub", "orders.#", "--count", str(count), data_dir=data_dir)
                with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
                    with anyio.fail_after(LIMIT_S):
                        while not (await feed.publish("orders.new", 0, confirm=True)).receivers:
                            await anyio.sleep(0.02)
                    for _ in range(count - 1):
                        await feed.publish("orders.new", "x" * PAYLOAD_CHARACTERS)
                    await feed.call("session.ping")
                    return await anyio.to_thread.run_sync(read_late, process)

            _, small_kib = await printed(1)
            lines, kib = await printed(LARGE)
    assert lines == LARGE
    assert kib - small_kib < 16 * 1024


async def test_a_subscriber_ends_in_silence_when_its_reader_has_gone_though_nothing_comes(
    data_dir: Path,
) -> None:
    words = command("sub", "quiet.#", data_dir=data_dir)
    reading, writing = os.pipe()
    async with await anyio.open_process(words, stdout=writing) as subscriber:
        os.close(writing)
        with anyio.fail_after(LIMIT_S):
            receivers = 0
            while not receivers:
                _, out, _ = await run("pub", "quiet.first", "1", data_dir=data_dir)
                receivers = json.loads(out)["receivers"]
            assert await anyio.to_thread.run_sync(os.read, reading, 1) == b"{"
            os.close(reading)
            assert subscriber.stderr is not None
            told = b"".join([chunk async for chunk in subscriber.stderr])
            assert (await subscriber.wait(), told) == (0, b"")


def read_one_line(data_dir: Path, topic: str) -> tuple[int, bytes]:
    """Ends reading behind it, as `head` does; the exit code and what stands on stderr."""
    words = command("replay", "--topic", topic, data_dir=data_dir)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        try:
            return process.wait(timeout=20), process.stderr.read()
        finally:
            process.kill()


def replay(data_dir: Path, topic: str) -> tuple[int, int]:
    """How many lines it prints to a reader that comes late, and its largest size in KiB."""
    words = command("replay", "--topic", topic, data_dir=data_dir)
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        return read_late(process)


def read_late(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """As `replay`, of a command that runs."""
    assert process.stdout is not None
    lines = 1 if process.stdout.readline() else 0
    wait_until_idle(process.pid)
    lines += sum(1 for _ in process.stdout)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return lines, used.ru_maxrss


def wait_until_idle(pid: int) -> None:
    """Returns when it has used no processor for a while, or has ended."""
    seen, used = process(pid), -1.0
    while seen and runs(seen) and (now := processor_of(seen)) is not None and now > used:
        used = now
        time.sleep(IDLE_S)
