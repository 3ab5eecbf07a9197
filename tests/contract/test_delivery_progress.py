"""Python's delivery progress against the vectors that the Node client's test reads too."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from deskbus_protocol.bus import GapParams, Mark, MessageParams
from deskbus_protocol.client.progress import DeliveryProgress
from deskbus_protocol.envelope import ClientId

pytestmark = pytest.mark.requirement("6.3")

VECTORS: list[dict[str, Any]] = msgspec.json.decode(
    (Path(__file__).parent / "vectors/delivery_progress.json").read_bytes()
)["vectors"]


def message(of: dict[str, Any]) -> MessageParams:
    sender = ClientId("feed", "main")
    return MessageParams(id="i", sender=sender, payload=Raw(b"1"), correlation_id="c", **of)


def flood(progress: DeliveryProgress, of: dict[str, Any], count: int) -> None:
    """Numbers that many messages by topic, where it has a place for that, or else by seq."""
    for n in range(count):
        topic = of["topic"].replace("{i}", str(n))
        seq = of["seq"] + (n if topic == of["topic"] else 0)
        sent = of | {"topic": topic, "seq": seq, "timestamp": of["timestamp"] + n}
        assert progress.arrived(message(sent))


def behind(progress: DeliveryProgress, pattern: str) -> Any:
    """Parameters of `bus.continue`, as plain JSON; None where there is nothing to continue."""
    known = progress.behind(pattern) if progress.is_owed(pattern) else None
    if known is not None and (left := progress.unacknowledged.behind(pattern)):
        known["unacknowledged"] = left
    return msgspec.json.decode(msgspec.json.encode(known))


def summary(known: dict[str, Any]) -> dict[str, Any]:
    """The sizes of what would be long."""
    short: dict[str, Any] = {name: known[name] for name in ("partial", "since") if name in known}
    short["topics"] = {epoch: len(seqs) for epoch, seqs in known["seen"].items()}
    if "unacknowledged" in known:
        ((seqs,),) = (topics.values() for topics in known["unacknowledged"]["seqs"].values())
        since = known["unacknowledged"]["since"]
        short["unacknowledged"] = {"since": since, "first": seqs[0], "count": len(seqs)}
    return short


def clip(progress: DeliveryProgress, gap: dict[str, Any]) -> Any:
    news = progress.clip(msgspec.convert(gap, GapParams))
    return msgspec.json.decode(msgspec.json.encode(news))


def last_seqs(progress: DeliveryProgress, expected: dict[str, Any]) -> dict[str, Any]:
    """All of them; where the absence of one is expected, only those that are asked for."""
    known = progress.last_seqs
    asked = None in expected.values()
    return {topic: known.get(topic) for topic in expected} if asked else dict(known)


STEPS: dict[str, Callable[[DeliveryProgress, dict[str, Any]], Any]] = {
    "open": lambda p, s: p.open(s["epoch"], resumed=s["resumed"]),
    "lose": lambda p, s: p.lose(),
    "join": lambda p, s: p.join(s["pattern"], s["mode"]),
    "settle": lambda p, s: p.settle(s["pattern"], msgspec.convert(s["mark"], Mark)),
    "begin": lambda p, s: p.begin(s["pattern"]),
    "leave": lambda p, s: p.leave(s["pattern"]),
    "arrived": lambda p, s: p.arrived(message(s["message"])),
    "acknowledged": lambda p, s: p.unacknowledged.acknowledged(message(s["message"])),
    "flood": lambda p, s: flood(p, s["message"], s["count"]),
    "owed": lambda p, s: p.owed,
    "behind": lambda p, s: behind(p, s["pattern"]),
    "behindSummary": lambda p, s: summary(behind(p, s["pattern"])),
    "lastSeqs": lambda p, s: last_seqs(p, s["expect"]),
    "clip": lambda p, s: clip(p, s["gap"]),
}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_progress_follows_its_vector(vector: dict[str, Any]) -> None:
    progress = DeliveryProgress()
    for number, step in enumerate(vector["steps"]):
        outcome = STEPS[step["do"]](progress, step)
        if "expect" in step:
            assert outcome == step["expect"], f"step {number}: {step}"
