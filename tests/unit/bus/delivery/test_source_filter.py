"""A subscription that names sources brings their messages only."""

import pytest

from deskbus.bus.delivery.source_filter import SourceFilter
from deskbus_protocol.bus import Source
from tests.support.messages import Mint, read


@pytest.fixture
def seen() -> list[str]:
    return []


@pytest.fixture
def sources(seen: list[str]) -> SourceFilter:
    return SourceFilter(lambda line, _topic, _seq: seen.append(read(line)["sender"]["app"]))


def test_an_app_or_one_of_its_clients_is_let_through(
    sources: SourceFilter, seen: list[str]
) -> None:
    mint = Mint()
    sources.set("prices.#", [Source("feed"), Source("bank", "main"), Source("bank2", "other")])
    for sender in ("feed", "bank", "bank2", "feed2", "fee"):
        sources.put(*mint.line("prices.EURUSD", sender=sender))
    assert seen == ["feed", "bank"]


def test_each_pattern_has_sources_of_its_own_until_it_is_dropped(
    sources: SourceFilter, seen: list[str]
) -> None:
    mint = Mint()
    sources.set("a.#", [Source("one")])
    sources.set("#.b", [Source("two")])
    for sender in ("one", "two"):
        sources.put(*mint.line("a.b", sender=sender))
        sources.put(*mint.line("c.b", sender=sender))
    assert seen == ["one", "two", "two"]
    sources.drop("#.b")
    sources.put(*mint.line("a.b", sender="two"))
    assert seen == ["one", "two", "two"]
