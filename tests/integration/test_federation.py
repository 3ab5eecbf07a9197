"""Several real backends, joined through a real nats-server that is killed now and then."""

import random
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import anyio
import msgspec
import pytest
from anyio.streams.memory import MemoryObjectReceiveStream
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deskbus.config import FederationConfig, load
from deskbus_protocol.client import Client, Message
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.health import ComponentHealth, HealthResult
from tests.integration.natsserver import NatsServer, nats_server
from tests.integration.shell import TestShell, start_shell

LIMIT_S = 20

Inbox = MemoryObjectReceiveStream[Message]

CONFIG = """
[persistence]
topics = ["orders.#"]

[federation]
name = "{name}"
servers = ["{url}"]
{patterns}
"""
WITHOUT_NATS = """
import sys
sys.modules["nats"] = None
from deskbus.cli import main
sys.exit(main(sys.argv[1:]))
"""
EVERYTHING = 'topics = ["prices.#", "orders.#"]'


def config(server: NatsServer, name: str, patterns: str = EVERYTHING) -> str:
    return CONFIG.format(name=name, url=server.url, patterns=patterns)


@asynccontextmanager
async def machine(
    server: NatsServer, folder: Path, name: str, patterns: str = EVERYTHING
) -> AsyncIterator[TestShell]:
    """A backend of its own that has joined the federation."""
    text = config(server, name, patterns)
    async with start_shell(folder / name, config=text, consent="allow") as shell:
        await until(shell, "ok")
        yield shell


async def federation_of(shell: TestShell) -> ComponentHealth:
    health: HealthResult = await shell.client.call("health.get", result=HealthResult)
    return health.components["federation"]


async def until(shell: TestShell, status: str) -> ComponentHealth:
    with anyio.fail_after(LIMIT_S):
        while (found := await federation_of(shell)).status != status:
            await anyio.sleep(0.02)
    return found


async def next_of(inbox: Inbox) -> Message:
    with anyio.fail_after(LIMIT_S):
        return await inbox.receive()


def number_of(message: Message) -> int:
    return msgspec.json.decode(message.payload, type=int)


async def numbers_up_to(inbox: Inbox, last: int) -> list[int]:
    found = [number_of(await next_of(inbox))]
    while found[-1] != last:
        found.append(number_of(await next_of(inbox)))
    return found


@pytest.fixture
async def server(tmp_path: Path, anyio_backend: str) -> AsyncIterator[NatsServer]:
    async with nats_server(tmp_path) as started:
        yield started


@pytest.mark.requirement("7.2")
async def test_a_message_goes_over_with_what_it_carries(server: NatsServer, tmp_path: Path) -> None:
    async with (
        machine(server, tmp_path, "desk-a") as a,
        machine(server, tmp_path, "desk-b") as b,
        a.app("desk.feed") as feed,
        b.app("desk.blotter") as blotter,
        blotter.subscribe("#") as inbox,
    ):
        for topic in ("prices.fx rate.>€", "orders.new"):
            result = await feed.publish(
                topic,
                {"bid": 1.1},
                headers={"kind": "spot"},
                correlationId="c-1",
                ttl=60_000,
                priority=7,
                _meta={"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
            )
            found = await next_of(inbox)
            assert (found.topic, found.id, found.origin) == (topic, result.id, "desk-a")
            assert (found.sender.app, found.sender.client) == ("desk.feed", "main")
            assert (found.epoch, found.seq) == (b.hello.epoch, 1)
            assert found.correlation_id == "c-1"
            assert found.headers == {"kind": "spot"}
            assert found.priority == 7
            assert isinstance(found.ttl, int)
            assert 50_000 < found.ttl <= 60_000
            assert not isinstance(found.meta, msgspec.UnsetType)
            assert found.meta.traceparent == (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            )
            assert bytes(found.payload) == b'{"bid":1.1}'


async def test_three_machines_get_each_message_once(server: NatsServer, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        names = ("desk-a", "desk-b", "desk-c")
        shells = [await stack.enter_async_context(machine(server, tmp_path, n)) for n in names]
        apps = [await stack.enter_async_context(shell.app("desk.app")) for shell in shells]
        inboxes = [await stack.enter_async_context(app.subscribe("#")) for app in apps]
        for topic in ("prices.EURUSD", "orders.new"):
            for number, app in enumerate(apps):
                await app.publish(topic, number)
        # A mark from each machine comes after all that it could have sent twice.
        await reached(apps, inboxes)


async def reached(apps: list[Client], inboxes: list[Inbox]) -> None:
    wanted = sorted((topic, n) for topic in ("orders.new", "prices.EURUSD") for n in range(3))
    seen: list[list[tuple[str, int]]] = [[] for _ in inboxes]
    for inbox, found in zip(inboxes, seen, strict=True):
        while len(found) < len(wanted):
            message = await next_of(inbox)
            found.append((message.topic, number_of(message)))
    for app in apps:
        await app.publish("prices.mark", 0)
        await app.publish("orders.mark", 0)
    for inbox, found in zip(inboxes, seen, strict=True):
        marks = 0
        while marks < 2 * len(apps):
            message = await next_of(inbox)
            marks += message.topic.endswith(".mark")
            if not message.topic.endswith(".mark"):
                found.append((message.topic, number_of(message)))
        assert sorted(found) == wanted


async def test_both_sides_decide_what_goes_over(server: NatsServer, tmp_path: Path) -> None:
    sends = 'send = ["prices.#", "secret.open"]\nreceive = []'
    takes = 'send = []\nreceive = ["prices.EURUSD", "prices.mark", "secret.#"]'
    async with (
        machine(server, tmp_path, "desk-a", sends) as a,
        machine(server, tmp_path, "desk-b", takes) as b,
        a.app("desk.feed") as feed,
        b.app("desk.feed") as back,
        a.app("desk.blotter") as here,
        b.app("desk.blotter") as there,
        here.subscribe("#") as inbox_here,
        there.subscribe("#") as inbox_there,
    ):
        for topic in ("secret.closed", "prices.GBPUSD", "secret.open", "prices.EURUSD"):
            await feed.publish(topic, topic)
        await back.publish("prices.EURUSD", "back")
        await feed.publish("prices.mark", 0)
        arrived = [await next_of(inbox_there) for _ in range(4)]
        assert [message.topic for message in arrived if message.origin == "desk-a"] == [
            "secret.open",
            "prices.EURUSD",
            "prices.mark",
        ]
        stayed = [await next_of(inbox_here) for _ in range(5)]
        assert {message.origin for message in stayed} == {msgspec.UNSET}


async def test_a_request_stays_on_its_machine(server: NatsServer, tmp_path: Path) -> None:
    async with (
        machine(server, tmp_path, "desk-a") as a,
        machine(server, tmp_path, "desk-b") as b,
        a.app("desk.feed") as feed,
        b.app("desk.blotter") as blotter,
        blotter.subscribe("orders.#") as inbox,
    ):
        with pytest.raises(DeskbusError) as refused:
            await feed.request("orders.prefill", 1)
        assert refused.value.kind.name == "no_subscriber"
        await feed.publish("orders.prefill", 2)
        assert number_of(await next_of(inbox)) == 2


@pytest.mark.requirement("6.1")
async def test_live_messages_are_dropped_and_counted_while_there_is_no_server(
    server: NatsServer, tmp_path: Path
) -> None:
    async with (
        machine(server, tmp_path, "desk-a") as a,
        machine(server, tmp_path, "desk-b") as b,
        a.app("desk.feed") as feed,
        b.app("desk.blotter") as blotter,
        blotter.subscribe("prices.#") as inbox,
    ):
        await server.kill()
        for shell in (a, b):
            gone = await until(shell, "degraded")
            assert "no connection to NATS" in str(gone.detail)
        await feed.publish("prices.EURUSD", 1)
        assert " 1 dropped" in str((await federation_of(a)).detail)
        await server.start()
        for shell in (a, b):
            await until(shell, "ok")
        await feed.publish("prices.EURUSD", 2)
        assert number_of(await next_of(inbox)) == 2


@pytest.mark.requirement("6.1")
@pytest.mark.requirement("2.2")
async def test_nothing_durable_is_lost_when_the_server_is_killed(
    server: NatsServer, tmp_path: Path
) -> None:
    last = 1500
    async with (
        machine(server, tmp_path, "desk-a") as a,
        machine(server, tmp_path, "desk-b") as b,
        a.app("desk.feed", honest=False) as feed,
        b.app("desk.blotter", honest=False) as blotter,
        blotter.subscribe("orders.#") as inbox,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(publish, feed, 1, last)
        found: list[int] = []
        for number in (200, 500):
            found += await numbers_up_to(inbox, number)
            await server.kill()
            await until(a, "degraded")
            await server.start()
        found += await numbers_up_to(inbox, last)
        assert found == list(range(1, last + 1))


async def publish(feed: Client, first: int, last: int) -> None:
    for number in range(first, last + 1):
        await feed.publish("orders.new", number, durable=True)


@pytest.mark.requirement("2.2")
async def test_nothing_durable_is_lost_when_backends_are_killed(
    server: NatsServer, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        b = await stack.enter_async_context(machine(server, tmp_path, "desk-b"))
        async with machine(server, tmp_path, "desk-a") as a:
            async with a.app("desk.feed", honest=False) as feed:
                await publish(feed, 1, 300)
                a.process.kill()
                await a.process.wait()
        b.process.kill()
        await b.process.wait()
        await stack.aclose()
    await server.kill()
    async with start_shell(
        tmp_path / "desk-a", config=config(server, "desk-a"), consent="allow"
    ) as a:
        await until(a, "degraded")
        async with a.app("desk.feed", honest=False) as feed:
            await publish(feed, 301, 600)
            await server.start()
            await until(a, "ok")
            async with machine(server, tmp_path, "desk-b") as b:
                async with b.app("desk.blotter", honest=False) as blotter:
                    await publish(feed, 601, 700)
                    assert await replayed(blotter, 700) == list(range(1, 701))


@pytest.mark.requirement("2.2")
async def test_whoever_is_killed_what_was_acknowledged_arrives_once(
    server: NatsServer, tmp_path: Path
) -> None:
    chance = random.Random(20_26)
    acknowledged: list[int] = []
    numbers = count(1)
    for _ in range(3):
        await life(server, tmp_path, chance, numbers, acknowledged)
    last = next(numbers)
    async with (
        machine(server, tmp_path, "desk-a") as a,
        machine(server, tmp_path, "desk-b") as b,
        a.app("desk.feed") as feed,
        b.app("desk.blotter", honest=False) as there,
        a.app("desk.blotter", honest=False) as here,
    ):
        await publish(feed, last, last)
        arrived, kept = await replayed(there, last), await replayed(here, last)
    assert len(acknowledged) > 100
    assert len(arrived) == len(set(arrived))
    assert set(acknowledged) <= set(arrived)
    # What was on its way to the sender's disk when it was killed may have arrived all the same.
    assert [number for number in arrived if number in set(kept)] == kept


async def life(
    server: NatsServer,
    folder: Path,
    chance: random.Random,
    numbers: Iterator[int],
    acknowledged: list[int],
) -> None:
    """Two machines under load, until first the receiver is killed, then the server, the sender."""

    async def publish_on(feed: Client) -> None:
        try:
            while True:
                number = next(numbers)
                await feed.publish("orders.new", number, durable=True)
                acknowledged.append(number)
        except DeskbusError:
            return

    async with (
        start_shell(folder / "desk-a", config=config(server, "desk-a"), consent="allow") as a,
        start_shell(folder / "desk-b", config=config(server, "desk-b"), consent="allow") as b,
        a.app("desk.feed", honest=False) as feed,
        anyio.create_task_group() as tasks,
    ):
        for _ in range(20):
            tasks.start_soon(publish_on, feed)
        await anyio.sleep(chance.uniform(0.1, 0.6))
        b.process.kill()
        await anyio.sleep(chance.uniform(0, 0.2))
        await server.kill()
        await server.start()
        await anyio.sleep(chance.uniform(0, 0.2))
        a.process.kill()
        await a.process.wait()


async def replayed(reader: Client, last: int) -> list[int]:
    """The numbers in the log, once the last is there."""
    async with reader.listen("orders.#") as messages:
        with anyio.fail_after(LIMIT_S):
            while True:
                there_are = await reader.replay("orders.#")
                found = [number_of(await messages.receive()) for _ in range(there_are)]
                if found[-1:] == [last]:
                    return found
                await anyio.sleep(0.05)


async def test_a_machine_that_joins_later_gets_what_the_stream_holds(
    server: NatsServer, tmp_path: Path
) -> None:
    async with machine(server, tmp_path, "desk-a") as a, a.app("desk.feed") as feed:
        await publish(feed, 1, 10)
        async with machine(server, tmp_path, "desk-b") as b, b.app("desk.blotter") as blotter:
            assert await replayed(blotter, 10) == list(range(1, 11))


async def test_without_federation_its_health_is_off(open_shell: TestShell) -> None:
    assert (await federation_of(open_shell)).status == "off"


async def test_a_backend_starts_without_a_server(tmp_path: Path) -> None:
    text = CONFIG.format(name="desk-a", url="nats://127.0.0.1:1", patterns=EVERYTHING)
    async with start_shell(tmp_path / "data", config=text, consent="allow") as shell:
        found = await federation_of(shell)
        assert found.status == "degraded"
        async with shell.app("desk.feed") as feed:
            assert (await feed.publish("orders.new", 1, durable=True)).seq == 1


async def test_a_server_with_tls_and_a_password_is_joined(tmp_path: Path) -> None:
    authority = make_certificate(tmp_path)
    options = ["--tls", "--tlscert", str(authority), "--tlskey", str(tmp_path / "key.pem")]
    async with nats_server(tmp_path, *options, "--user", "desk", "--pass", "secret") as server:
        patterns = f'{EVERYTHING}\ntls_ca = "{authority}"'
        with_password = CONFIG.format(
            name="desk-a", url=f"tls://desk:secret@localhost:{server.port}", patterns=patterns
        )
        async with start_shell(tmp_path / "a", config=with_password, consent="allow") as shell:
            await until(shell, "ok")
        without = CONFIG.format(
            name="desk-a", url=f"tls://localhost:{server.port}", patterns=patterns
        )
        async with start_shell(tmp_path / "b", config=without, consent="allow") as shell:
            found = await until_detail(shell, "refused the credentials")
            assert "secret" not in found
        unknown = with_password.replace(f'\ntls_ca = "{authority}"', "")
        async with start_shell(tmp_path / "c", config=unknown, consent="allow") as shell:
            await until_detail(shell, "TLS could not be agreed on")


async def test_the_documented_permissions_are_enough(tmp_path: Path) -> None:
    sample = next(block for block in code_blocks() if block.startswith("authorization"))
    user = sample[sample.index("{ user:") : sample.index("  ]\n}")].replace("…", "secret")
    both = sample.replace("…", "secret").replace(
        "  ]\n}", user.replace("desk-a", "desk-b") + "  ]\n}"
    )
    rules = tmp_path / "nats.conf"
    rules.write_text(both)
    async with nats_server(tmp_path, "-c", str(rules)) as server, AsyncExitStack() as stack:
        shells = []
        for name in ("desk-a", "desk-b"):
            url = f"nats://{name}:secret@127.0.0.1:{server.port}"
            text = CONFIG.format(name=name, url=url, patterns=EVERYTHING)
            shell = start_shell(tmp_path / name, config=text, consent="allow")
            shells.append(await stack.enter_async_context(shell))
            await until(shells[-1], "ok")
        feed, blotter = [await stack.enter_async_context(each.app("desk.app")) for each in shells]
        inbox = await stack.enter_async_context(blotter.subscribe("#"))
        for topic in ("prices.EURUSD", "orders.new"):
            await feed.publish(topic, 1)
            assert (await next_of(inbox)).topic == topic


def code_blocks() -> list[str]:
    guide = Path(__file__).resolve().parents[2] / "docs/federation.md"
    return re.findall(r"^```\w*\n(.*?)^```$", guide.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_the_documented_section_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "deskbus.toml"
    file.write_text(next(block for block in code_blocks() if "[federation]" in block))
    found = load(file).federation
    assert isinstance(found, FederationConfig)
    assert found.sent_patterns == ["prices.#", "orders.#"]


async def until_detail(shell: TestShell, words: str) -> str:
    with anyio.fail_after(LIMIT_S):
        while words not in (found := str((await federation_of(shell)).detail)):
            await anyio.sleep(0.02)
    return found


def make_certificate(folder: Path) -> Path:
    """A certificate for localhost that vouches for itself, and its key in `key.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    path = folder / "certificate.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return path


async def test_a_missing_credentials_file_is_told_in_health(tmp_path: Path) -> None:
    async with nats_server(tmp_path) as server:
        text = config(server, "desk-a", f'{EVERYTHING}\ncredentials_file = "missing.creds"')
        async with start_shell(tmp_path / "data", config=text, consent="allow") as shell:
            await until_detail(shell, "credentials_file can't be read")


async def test_without_the_extra_the_start_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "deskbus.toml"
    file.write_text('[federation]\nname = "desk-a"\n')
    arguments = ["serve", "--headless", "--data-dir", str(tmp_path), "--config", str(file)]
    with anyio.fail_after(LIMIT_S):
        done = await anyio.run_process(
            [sys.executable, "-c", WITHOUT_NATS, *arguments], check=False
        )
    assert done.returncode == 1
    assert b"pip install 'deskbus[nats]'" in done.stderr
