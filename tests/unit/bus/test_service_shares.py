"""An app's messages, sent or waiting, take nothing of another's share."""

import pytest
from msgspec import Raw

from deskbus.bus import topic_table
from deskbus.bus.delivery import offline_queue
from deskbus.bus.service import MAX_AWAY
from deskbus_protocol.bus import Mode
from deskbus_protocol.envelope import ClientId
from tests.support.memory_bus import FEED, BusRun, MemoryLine, MemoryLog

QUIET, NOISY = ClientId("app.quiet", "main"), ClientId("app.noisy", "main")


@pytest.fixture
def run() -> BusRun:
    made = BusRun(1, MemoryLog(), lambda: 1_000_000)
    for who in (QUIET, NOISY):
        made.bus.attach(who, MemoryLine(), resume=False)
    return made


def publish(run: BusRun, who: ClientId, topic: str, size: int = 10) -> None:
    run.bus.broker.publish(run.bus.member(who).client, topic, Raw(b'"%b"' % (b"x" * size)))


@pytest.mark.requirement("1.5")
def test_a_flood_of_one_apps_topics_empties_its_own_histories(
    run: BusRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_table, "MAX_HISTORY_BYTES", 1024 * 1024)
    for _ in range(100):
        publish(run, QUIET, "quiet.a", 1000)
    for number in range(5_000):
        publish(run, NOISY, f"noisy.{number}", 1000)
    assert len(run.bus.broker.history("quiet.a")) == 100
    assert run.bus.broker.topics.history_bytes <= 1024 * 1024
    assert run.bus.broker.history("noisy.4999")


@pytest.mark.requirement("C")
def test_one_message_empties_few_histories_however_many_there_are(
    run: BusRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_table, "MAX_HISTORY_BYTES", 128 * 1024)
    emptied = [0]
    topics = run.bus.broker.topics
    for number in range(1_000):
        before = sum(map(bool, [topic.history for topic in topics.all()]))
        publish(run, NOISY, f"noisy.{number}", 1000)
        after = sum(map(bool, [topic.history for topic in topics.all()]))
        emptied.append(before + 1 - after)
    kept = 1_000 - sum(emptied)
    assert 0 < max(emptied) < kept / 32


@pytest.mark.requirement("1.5")
def test_topics_that_others_began_are_emptied_too(
    run: BusRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_table, "MAX_HISTORY_BYTES", 256 * 1024)
    for number in range(500):
        publish(run, QUIET, f"shared.{number}")
    for number in range(500):
        for _ in range(5):
            publish(run, NOISY, f"shared.{number}", 1000)
    assert run.bus.broker.topics.history_bytes <= 256 * 1024
    kept = [len(run.bus.broker.history(f"shared.{number}")) for number in range(500)]
    assert sum(kept) > 100


def test_one_app_that_makes_topics_without_end_forgets_its_own(
    run: BusRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_table, "MAX_TOPICS", 100)
    publish(run, QUIET, "quiet.a")
    for number in range(1_000):
        publish(run, NOISY, f"noisy.{number}")
    assert len(run.bus.broker.topics.all()) <= 100
    assert len(run.bus.broker.history("quiet.a")) == 1


def visit(run: BusRun, app: str, number: int, mode: Mode = "live") -> ClientId:
    who = ClientId(app, f"client-{number}")
    run.bus.attach(who, MemoryLine(), resume=False)
    run.bus.subscribe(who, "feed.#", mode)
    run.bus.detach(who)
    return who


def waiting(run: BusRun) -> dict[str, int]:
    counts: dict[str, int] = {}
    for each in run.bus.queues():
        counts[each.app] = counts.get(each.app, 0) + each.queued
    return counts


@pytest.mark.requirement("1.3")
def test_what_waits_for_the_away_clients_of_one_app_has_one_budget(
    run: BusRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offline_queue, "APP_MESSAGES", 200)
    visit(run, "app.one", 0)
    for number in range(100):
        visit(run, "app.many", number)
    for _ in range(50):
        publish(run, FEED, "feed.a")
    assert waiting(run)["app.many"] <= 200
    assert waiting(run)["app.one"] == 50


def test_too_many_away_clients_of_one_app_end_the_longest_away(run: BusRun) -> None:
    other = visit(run, "app.one", 0)
    visitors = [visit(run, "app.many", number) for number in range(MAX_AWAY + 3)]
    assert [run.bus.knows(each) for each in visitors] == [False] * 3 + [True] * MAX_AWAY
    assert run.bus.knows(other)


@pytest.mark.parametrize("mode", ["live", "acknowledged"])
def test_who_has_left_for_good_is_forgotten_and_nothing_waits(run: BusRun, mode: Mode) -> None:
    who = ClientId("app.one", "main")
    run.bus.attach(who, MemoryLine(), resume=False)
    run.bus.subscribe(who, "feed.#", mode)
    run.bus.leave(who)
    publish(run, FEED, "feed.a")
    assert not run.bus.knows(who)
    assert "app.one" not in waiting(run)
    assert len(run.bus.dead_letters) == 0
