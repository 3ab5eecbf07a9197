"""Attacks of a hostile app and of a stranger on the pipe of the real backend, with their controls.

Each attack has to fail; its control, the honest form of the same, has to succeed. What each got
stands in `build/security/pipe-attacks.md` afterwards.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import pytest

from deskbus.rpc.dispatch.calls_in_progress import MAX_IN_FLIGHT
from deskbus_protocol.client import Client, connect, open_session
from deskbus_protocol.errors import ERRORS, DeskbusError
from deskbus_protocol.session import MAX_LAST_SEQS
from deskbus_protocol.topics import MAX_LEVELS, MAX_TOPIC_BYTES, MAX_WILDCARDS
from deskbus_protocol.wire.framing import MAX_FRAME_BYTES, MAX_HEADER_BYTES
from deskbus_protocol.wire.jsontext import MAX_DEPTH
from tests.integration.shell import TestShell, start_shell

pytestmark = [pytest.mark.slow, pytest.mark.requirement("3.4")]

TABLE = Path(__file__).parents[2] / "build/security/pipe-attacks.md"
LIMIT_S = 30
EVIL, FRIEND = "app.evil", "app.friend"
IN, LEFT_OUT, CUT_OFF = "in", "no answer", "cut off"
NAMES = {kind.code: name for name, kind in ERRORS.items()}
PROMPTED = {"permission": "messaging.read", "scope": "asked.#"}

CONFIG = """
[[apps]]
id = "app.evil"
name = "Evil"
declares = [{{ permission = "messaging.read", scope = "asked.#" }}]
grants = [
    {{ permission = "messaging.write", scope = "evil.#" }},
    {{ permission = "messaging.read", scope = "evil.#" }},
    {{ permission = "secrets", scope = "own" }},
    {{ permission = "filesystem.read", scope = "{folder}/open" }},
]

[[apps]]
id = "app.friend"
name = "Friend"
declares = [{{ permission = "messaging.read", scope = "asked.#" }}]
grants = [
    {{ permission = "messaging.write", scope = "#" }},
    {{ permission = "messaging.read", scope = "#" }},
    {{ permission = "history", scope = "#" }},
    {{ permission = "app.send", scope = "app.evil" }},
    {{ permission = "secrets", scope = "own" }},
    {{ permission = "filesystem.read", scope = "{folder}/private" }},
]

[persistence]
topics = ["kept.#"]

[consent]
timeout_s = 2
"""


class Stage:
    """The backend under attack, the hostile app on its link, and the one whose things it wants."""

    def __init__(self, shell: TestShell, folder: Path, evil: Client, friend: Client) -> None:
        self.shell = shell
        self.folder = folder
        self.apps = {EVIL: evil, FRIEND: friend}
        self.spent = ""

    async def opening(self, ticket: str, app: str = EVIL) -> str:
        return await self.raw(frame("session.open", opened_by(ticket, app)))

    async def raw(self, *frames: bytes, answers: int = 1) -> str:
        """The answer to a stranger's bytes: the last of so many answers."""
        async with await anyio.connect_unix(self.shell.hello.pipe) as link:
            for each in frames:
                await link.send(each)
            return await last_answer(link, answers)

    async def in_session(self, *frames: bytes, answers: int = 1, app: str = EVIL) -> str:
        """The answer to bytes behind an honest `session.open`."""
        ticket = await self.shell.ticket(app, "raw")
        async with await anyio.connect_unix(self.shell.hello.pipe) as link:
            await link.send(frame("session.open", opened_by(ticket, app)))
            assert await last_answer(link, 1) == IN
            for each in frames:
                await link.send(each)
            return await last_answer(link, answers)


Attempt = Callable[[Stage], Awaitable[str]]


class Attack(NamedTuple):
    name: str
    attempt: Attempt
    control: Attempt


def opened_by(ticket: str, app: str) -> dict[str, Any]:
    return {"ticket": ticket, "app": app, "protocolVersion": "1.0"}


def frame(method: str, params: object, number: int = 1) -> bytes:
    return (
        json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}) + "\n"
    ).encode()


async def last_answer(link: anyio.abc.ByteReceiveStream, answers: int) -> str:
    """`in`, the name of the error, or how the link ended."""
    taken = b""
    seen = []
    with anyio.move_on_after(LIMIT_S):
        while True:
            while b"\n" in taken:
                line, _, taken = taken.partition(b"\n")
                told = json.loads(line) if line.startswith(b"{") else {}
                if "id" in told and "method" not in told:
                    seen.append(NAMES[told["error"]["code"]] if "error" in told else IN)
                if len(seen) == answers:
                    return seen[-1]
            try:
                taken += await link.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return CUT_OFF
    return LEFT_OUT


def by(caller: str, method: str, /, **params: object) -> Attempt:
    """A call of an app on its own link; `{folder}` in a text is the folder of this test."""

    async def attempt(stage: Stage) -> str:
        given = {
            name: value.replace("{folder}", str(stage.folder)) if isinstance(value, str) else value
            for name, value in params.items()
        }
        try:
            await stage.apps[caller].call(method, given)
        except DeskbusError as error:
            return error.kind.name
        return IN

    return attempt


def by_shell(method: str, /, **params: object) -> Attempt:
    async def attempt(stage: Stage) -> str:
        try:
            await stage.shell.client.call(method, params)
        except DeskbusError as error:
            return error.kind.name
        return IN

    return attempt


def stranger(*frames: bytes, answers: int = 1) -> Attempt:
    return lambda stage: stage.raw(*frames, answers=answers)


def sends(*frames: bytes, answers: int = 1) -> Attempt:
    """Bytes of the hostile app on a link with a session."""
    return lambda stage: stage.in_session(*frames, answers=answers)


def publishing(payload: bytes, topic: str = "evil.t") -> bytes:
    head = b'{"jsonrpc":"2.0","id":2,"method":"bus.publish","params":{"topic":"%b","payload":'
    return head % topic.encode() + payload + b"}}\n"


PUBLISHED = sends(publishing(b"1"))
PING = frame("session.ping", {}, 2)


# Identity.


async def guessed_ticket(stage: Stage) -> str:
    return await stage.opening("A" * 43)


async def own_ticket(stage: Stage) -> str:
    return await stage.opening(await stage.shell.ticket(EVIL, "own"))


async def ticket_of_another(stage: Stage) -> str:
    return await stage.opening(await stage.shell.ticket(FRIEND, "theirs"), EVIL)


async def used_ticket(stage: Stage) -> str:
    ticket = await stage.shell.ticket(EVIL, "twice")
    assert await stage.opening(ticket) == IN
    return await stage.opening(ticket)


async def resumed(stage: Stage, *, times: int) -> str:
    ticket = await stage.shell.ticket(EVIL, "resumed")
    got = ""
    async with connect(stage.shell.hello.pipe) as client:
        token = (await open_session(client, ticket, EVIL)).resume_token
    for _ in range(times):
        got = await stage.raw(
            frame("session.resume", {"resumeToken": token, "protocolVersion": "1.0"})
        )
    return got


async def resumed_once(stage: Stage) -> str:
    return await resumed(stage, times=1)


async def resumed_twice(stage: Stage) -> str:
    return await resumed(stage, times=2)


async def second_session(stage: Stage) -> str:
    ticket = await stage.shell.ticket(FRIEND, "second")
    return await stage.in_session(frame("session.open", opened_by(ticket, FRIEND), 2))


async def new_link_for_a_second_session(stage: Stage) -> str:
    return await stage.opening(await stage.shell.ticket(FRIEND, "second"), FRIEND)


async def opened_with_headers(stage: Stage) -> str:
    """An honest session in the other framing."""
    body = frame("session.open", opened_by(await stage.shell.ticket(EVIL, "framed"), EVIL))[:-1]
    taken = b""
    async with await anyio.connect_unix(stage.shell.hello.pipe) as link:
        await link.send(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        while b'"id":1' not in taken:
            taken += await link.receive()
    return IN if b'"result":' in taken else "refused"


# Limits of what somebody may see.


async def answer_to_anothers_request(stage: Stage, app: str) -> str:
    """A request of the friend to itself, answered by `app`."""
    friend = stage.apps[FRIEND]
    async with friend.subscribe("friend.ask") as requests, anyio.create_task_group() as tasks:
        tasks.start_soon(friend.request, "friend.ask", 1)
        asked = await requests.receive()
        got = await by(app, "bus.respond", replyTo=asked.reply_to, payload=2)(stage)
        if got != IN:
            await friend.answer(asked, 0)
    return got


async def another_answers(stage: Stage) -> str:
    return await answer_to_anothers_request(stage, EVIL)


async def the_asked_answers(stage: Stage) -> str:
    return await answer_to_anothers_request(stage, FRIEND)


async def sent_to_who_listens(stage: Stage) -> str:
    async with stage.apps[EVIL].subscribe("evil.sent"):
        return await by(FRIEND, "bus.send", app=EVIL, topic="evil.sent", payload=1)(stage)


async def secret_of(stage: Stage, app: str) -> str:
    await stage.apps[FRIEND].call("secrets.set", {"name": "broker", "value": "hunter2"})
    return await by(app, "secrets.get", name="broker")(stage)


async def prompted(stage: Stage, app: str, *, forges: bool) -> str:
    """The state of a permission that a person was asked about."""

    async def person(asked: Any) -> dict[str, Any]:
        allowed = await stage.shell.allow(asked)
        nonce = str(allowed["nonce"])
        return {**allowed, "nonce": nonce[::-1]} if forges else allowed

    stage.shell.person = person
    answer = await stage.apps[app].call("permissions.request", PROMPTED, result=dict)
    return IN if answer["state"] == "granted" else str(answer["state"])


async def forged_answer(stage: Stage) -> str:
    return await prompted(stage, EVIL, forges=True)


async def honest_answer(stage: Stage) -> str:
    return await prompted(stage, FRIEND, forges=False)


# Requests that wait.


def cancelling(number: int) -> bytes:
    return b'{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":%d}}\n' % number


def pending(links: int) -> tuple[bytes, ...]:
    """A subscription, and so many requests that nobody answers."""
    asks = [
        frame("bus.request", {"topic": "evil.ask", "payload": 1, "timeout": 60_000}, number)
        for number in range(2, links + 2)
    ]
    return frame("bus.subscribe", {"pattern": "evil.ask"}), b"".join(asks)


async def cancelled_by(stage: Stage, app: str) -> str:
    """A request of the friend that somebody cancels, by every id that it may have."""
    ticket = await stage.shell.ticket(app, "cancels")
    async with await anyio.connect_unix(stage.shell.hello.pipe) as link:
        await link.send(frame("session.open", opened_by(ticket, app)))
        assert await last_answer(link, 1) == IN
        friend = stage.apps[FRIEND]
        async with friend.subscribe("friend.ask") as requests, anyio.create_task_group() as tasks:
            if app == FRIEND:
                ask = {"topic": "friend.ask", "payload": 1}
                await link.send(frame("bus.request", ask, 7) + cancelling(7))
                await requests.receive()
                return IN if await last_answer(link, 1) == "cancelled" else "not cancelled"
            answered = anyio.Event()

            async def wait() -> None:
                await friend.request("friend.ask", 1)
                answered.set()

            tasks.start_soon(wait)
            asked = await requests.receive()
            await link.send(b"".join(map(cancelling, range(5000))) + PING)
            assert await last_answer(link, 1) == IN
            await friend.answer(asked, 0)
            await answered.wait()
        return "the request was answered"


async def ticket_amid_strangers(stage: Stage, links: int) -> str:
    """Whether links without a session, each with all the requests it may have, keep an app out."""
    waiting = pending(MAX_IN_FLIGHT)[1]
    async with AsyncExitStack() as stack:
        for _ in range(links):
            link = await anyio.connect_unix(stage.shell.hello.pipe)
            await stack.enter_async_context(link)
            await link.send(waiting)
        opened = await stage.opening(await stage.shell.ticket(FRIEND, "honest"), FRIEND)
    return "the app came in" if opened == IN else IN


async def prompt_behind(stage: Stage, prompts: int) -> str:
    """Whether prompts that one app leaves open keep another from being asked about."""
    asks = [
        frame("permissions.request", {**PROMPTED, "scope": f"asked.s{number}"}, number + 2)
        for number in range(prompts)
    ]

    async def person(asked: Any) -> dict[str, Any]:
        if asked.descriptor.identity.app == EVIL:
            await anyio.sleep_forever()
        return await stage.shell.allow(asked)

    stage.shell.person = person
    ticket = await stage.shell.ticket(EVIL, "asks")
    async with await anyio.connect_unix(stage.shell.hello.pipe) as link:
        await link.send(frame("session.open", opened_by(ticket, EVIL)) + b"".join(asks))
        assert await last_answer(link, 1) == IN
        wanted = {**PROMPTED, "scope": f"asked.of.{prompts}"}
        answer = await stage.apps[FRIEND].call("permissions.request", wanted, result=dict)
    return "the other was asked about" if answer["state"] == "granted" else IN


async def forged_record(stage: Stage, reason: str) -> str:
    """Whether a text of an app becomes a record of its own in the audit log."""
    ask = {"permission": "messaging.read", "scope": "nobody.#", "reason": reason}
    await stage.apps[EVIL].call("permissions.request", ask, result=dict)
    found = await stage.shell.client.call(
        "audit.query", {"text": "forged-by-evil", "limit": 10}, result=dict
    )
    types = {record["type"] for record in found["records"]}
    return IN if "vault.unlocked" in types else "one record, of its own kind"


ATTACKS = [
    # Identity.
    Attack("a ticket that was guessed", guessed_ticket, own_ticket),
    Attack("a ticket of another app", ticket_of_another, own_ticket),
    Attack("a ticket that was used", used_ticket, own_ticket),
    Attack("a resume token that was guessed", stranger(frame("session.resume", {"resumeToken": "A" * 43, "protocolVersion": "1.0"})), resumed_once),
    Attack("a resume token that was used", resumed_twice, resumed_once),
    Attack("a stranger says that it is the shell", stranger(frame("session.hello", {"protocolVersion": "1.0", "shell": "evil"})), by_shell("health.get")),
    Attack("an app says that it is the shell", by(EVIL, "session.hello", protocolVersion="1.0", shell="evil"), by_shell("health.get")),
    Attack("a second identity on one link", second_session, new_link_for_a_second_session),
    Attack("a call before there is a session", stranger(PING), sends(PING)),
    Attack("a sender in the message", by(EVIL, "bus.publish", topic="evil.t", payload=1, sender={"app": FRIEND, "client": "main"}), by(EVIL, "bus.publish", topic="evil.t", payload=1)),
    Attack("a developer's ticket that was guessed", stranger(frame("session.open", opened_by("A" * 43, "deskbus.developer"))), own_ticket),
    Attack("a ticket for a name of our own", by_shell("session.mintTicket", app="deskbus.shell", client="main"), by_shell("session.mintTicket", app=EVIL, client="x")),
    Attack("an app makes a ticket for another", by(EVIL, "session.mintTicket", app=FRIEND, client="x"), by_shell("session.mintTicket", app=FRIEND, client="x")),
    Attack("a protocol of another age", stranger(frame("session.open", {**opened_by("A" * 43, EVIL), "protocolVersion": "0.1"})), own_ticket),
    # Limits of what somebody may see and do.
    Attack("a publish without a grant", by(EVIL, "bus.publish", topic="friend.t", payload=1), by(FRIEND, "bus.publish", topic="friend.t", payload=1)),
    Attack("a topic whose name begins as a granted one", by(EVIL, "bus.publish", topic="evilest.t", payload=1), by(EVIL, "bus.publish", topic="evil.est.t", payload=1)),
    Attack("a subscription that is wider than the grant", by(EVIL, "bus.subscribe", pattern="friend.#"), by(FRIEND, "bus.subscribe", pattern="friend.#")),
    Attack("the last messages of a topic that is not granted", by(EVIL, "bus.history", topic="friend.t"), by(FRIEND, "bus.history", topic="friend.t")),
    Attack("persisted messages that are not granted", by(EVIL, "bus.query", pattern="kept.#"), by(FRIEND, "bus.query", pattern="kept.#")),
    Attack("a replay of what is not granted", by(EVIL, "bus.replay", pattern="kept.#"), by(FRIEND, "bus.replay", pattern="kept.#")),
    Attack("a message to an app that it may not write to", by(EVIL, "bus.send", app=FRIEND, client="main", topic="t", payload=1), sent_to_who_listens),
    Attack("an answer to another's request", another_answers, the_asked_answers),
    Attack("an answer to a request that never was", by(EVIL, "bus.respond", replyTo="r-1", payload=1), the_asked_answers),
    Attack("another's dead letters", by(EVIL, "bus.deadLetters"), by_shell("bus.deadLetters")),
    Attack("dead letters sent again", by(EVIL, "bus.redrive"), by_shell("bus.redrive")),
    Attack("another app's secret", lambda stage: secret_of(stage, EVIL), lambda stage: secret_of(stage, FRIEND)),
    Attack("a secret of the configuration", by(EVIL, "vault.setSecret", name="k", value="v"), by_shell("vault.status")),
    Attack("a file beside the folder that is granted", by(EVIL, "files.read", path="{folder}/private/file"), by(FRIEND, "files.read", path="{folder}/private/file")),
    Attack("a file by a way up", by(EVIL, "files.read", path="{folder}/open/../private/file"), by(EVIL, "files.read", path="{folder}/open/file")),
    Attack("a file by a link", by(EVIL, "files.read", path="{folder}/open/link"), by(EVIL, "files.read", path="{folder}/open/file")),
    Attack("a device in place of a file", by(EVIL, "files.read", path="/dev/zero"), by(EVIL, "files.read", path="{folder}/open/file")),
    Attack("the audit log", by(EVIL, "audit.query"), by_shell("audit.query")),
    Attack("an app starts another", by(EVIL, "apps.launch", app=FRIEND), by_shell("apps.list")),
    Attack("the counts of the whole desk", by(EVIL, "bus.stats"), by_shell("bus.stats")),
    Attack("a prompt in another's name", by(EVIL, "permissions.requestFor", app=FRIEND, client="main", **PROMPTED), honest_answer),
    Attack("a grant to oneself", by(EVIL, "permissions.grant", app=EVIL, **PROMPTED), by_shell("permissions.list")),
    Attack("an answer that fits no prompt", forged_answer, honest_answer),
    # Frames.
    Attack("a member of the envelope twice", sends(b'{"jsonrpc":"2.0","id":2,"method":"session.ping","method":"session.shutdown"}\n'), sends(PING)),
    Attack("a number that is none", sends(publishing(b"NaN")), PUBLISHED),
    Attack("a payload that closes the envelope", sends(publishing(b'1},"params":{"topic":"friend.t","payload":1')), PUBLISHED),
    Attack("a payload that is nested too deep", sends(publishing(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))), sends(publishing(b"[" * 100 + b"]" * 100))),
    Attack("a frame that is too long", sends(publishing(b'"' + b"x" * MAX_FRAME_BYTES + b'"')), sends(publishing(b'"' + b"x" * (MAX_FRAME_BYTES // 2) + b'"'))),
    Attack("bytes that are no UTF-8", sends(publishing(b'"\xff\xfe"')), PUBLISHED),
    Attack("half of a surrogate pair", sends(publishing(b'"\\ud83d"')), sends(publishing(b'"\\ud83d\\ude00"'))),
    Attack("a line break inside of a text", sends(publishing(b'"a\nb"')), sends(publishing(b'"a\\nb"'))),
    Attack("a batch of too many", sends(b"[" + b",".join([PING[:-1]] * 257) + b"]\n"), sends(PING)),
    Attack("a header without end", stranger(b"Content-Length: " + b"1" * (MAX_HEADER_BYTES + 1)), opened_with_headers),
    Attack("a length below nothing", stranger(b"Content-Length: -1\r\n\r\n{}"), opened_with_headers),
    Attack("another program's first bytes", stranger(b"GET / HTTP/1.1\r\nhost: bus\r\n\r\n"), own_ticket),
    Attack("a method that is none", sends(frame("bus.__class__", {}, 2)), sends(PING)),
    Attack("a parameter that is none", by(EVIL, "bus.publish", topic="evil.t", payload=1, __proto__={}), by(EVIL, "bus.publish", topic="evil.t", payload=1)),
    # Sizes.
    Attack("a topic with too many levels", by(EVIL, "bus.publish", topic="evil" + ".a" * MAX_LEVELS, payload=1), by(EVIL, "bus.publish", topic="evil" + ".a" * (MAX_LEVELS - 1), payload=1)),
    Attack("a topic that is too long", by(EVIL, "bus.publish", topic="evil." + "a" * MAX_TOPIC_BYTES, payload=1), by(EVIL, "bus.publish", topic="evil." + "a" * (MAX_TOPIC_BYTES - 5), payload=1)),
    Attack("a pattern with too many wildcards", by(EVIL, "bus.subscribe", pattern="evil" + ".*" * (MAX_WILDCARDS + 1)), by(EVIL, "bus.subscribe", pattern="evil" + ".*" * MAX_WILDCARDS)),
    Attack("a pattern of many numbers of levels twice", by(EVIL, "bus.subscribe", pattern="evil.#.#"), by(EVIL, "bus.subscribe", pattern="evil.#")),
    Attack("sequence numbers of too many topics", stranger(frame("session.resume", {"resumeToken": "A" * 43, "protocolVersion": "1.0", "lastSeqs": {f"t{n}": 1 for n in range(MAX_LAST_SEQS + 1)}})), resumed_once),
    Attack("a secret that is too large", by(EVIL, "secrets.set", name="big", value="x" * 65_537), by(EVIL, "secrets.set", name="big", value="x" * 65_536)),
    Attack("a wait of a year for an answer", by(EVIL, "bus.request", topic="evil.t", payload=1, timeout=31_536_000_000), the_asked_answers),
    # Requests that wait.
    Attack("a request beyond those in flight", sends(*pending(MAX_IN_FLIGHT + 1), answers=2), the_asked_answers),
    Attack("the cancellation of another's request", lambda stage: cancelled_by(stage, EVIL), lambda stage: cancelled_by(stage, FRIEND)),
    Attack("strangers with all the requests that they may have", lambda stage: ticket_amid_strangers(stage, 60), own_ticket),
    Attack("prompts without end in front of another's", lambda stage: prompt_behind(stage, 200), honest_answer),
    # Words.
    Attack("a record forged by a reason", lambda stage: forged_record(stage, 'forged-by-evil"}\n{"type":"vault.unlocked"'), by_shell("audit.query")),
]  # fmt: skip


@pytest.fixture(scope="module")
async def stage(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("attacks").resolve()
    for name in ("open", "private"):
        (folder / name).mkdir()
        (folder / name / "file").write_text(name)
    (folder / "open" / "link").symlink_to(folder / "private" / "file")
    async with start_shell(folder / "data", config=CONFIG.format(folder=folder)) as shell:
        async with shell.app(EVIL, honest=False) as evil, shell.app(FRIEND) as friend:
            yield Stage(shell, folder, evil, friend)


@pytest.fixture(scope="module")
def table() -> Iterator[list[str]]:
    rows: list[str] = []
    yield rows
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    head = "| attack | it got | honestly |\n| --- | --- | --- |\n"
    TABLE.write_text(head + "".join(f"| {row} |\n" for row in rows))


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
async def test_an_attack_fails_and_its_control_does_not(
    stage: Stage, attack: Attack, table: list[str]
) -> None:
    with anyio.fail_after(2 * LIMIT_S):
        got = await attack.attempt(stage)
        control = await attack.control(stage)
    table.append(f"{attack.name} | {got} | {control}")
    assert got != IN
    assert got not in (LEFT_OUT, "internal_error")
    assert control == IN
    # After each attempt everybody else goes on.
    assert await by(FRIEND, "bus.publish", topic="friend.after", payload=1)(stage) == IN


def test_each_attack_is_its_own() -> None:
    names = [attack.name for attack in ATTACKS]
    assert len(set(names)) == len(names) >= 50
