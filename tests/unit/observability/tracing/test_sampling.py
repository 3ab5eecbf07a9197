"""Head sampling: a share of all, and all of some topics."""

import random

import pytest

from deskbus.observability.tracing.sampling import HeadSampler


@pytest.mark.parametrize("ratio", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("block", [1, 7, 1000])
def test_the_share_is_kept_whatever_the_size_of_blocks(ratio: float, block: int) -> None:
    chance = random.Random(7)
    sampler = HeadSampler(ratio, chance=chance.random)
    sampled, seen, total = 0, 0, 200_000
    while seen < total:
        at = 0
        while (at := at + sampler.first_of(block - at)) < block:
            sampled += 1
            at += 1
        seen += block
    assert sampled / seen == pytest.approx(ratio, rel=0.06)


def test_none_and_all_are_exact() -> None:
    assert not any(HeadSampler(0.0).takes_one() for _ in range(1000))
    everything = HeadSampler(1.0)
    assert all(everything.takes_one() for _ in range(1000))


def test_topics_are_sampled_by_pattern() -> None:
    sampler = HeadSampler(0.0, ["orders.#", "prices.*.bid"])
    assert sampler.takes_topic("orders.new")
    assert sampler.takes_topic("prices.EURUSD.bid")
    assert not sampler.takes_topic("prices.EURUSD.ask")


def test_no_more_are_sampled_in_a_second_than_the_limit_says() -> None:
    now_s = [0.0]
    sampler = HeadSampler(1.0, ["orders.#"], max_per_s=10, monotonic_s=lambda: now_s[0])
    assert sum(sampler.takes_one() for _ in range(1000)) == 10
    assert not sampler.takes_topic("orders.new")
    now_s[0] += 0.5
    assert sum(sampler.takes_topic("orders.new") for _ in range(1000)) == 5
    now_s[0] += 100
    assert sampler.first_of(50) == 0
    assert sum(sampler.takes_one() for _ in range(1000)) == 9


def test_without_room_none_of_a_block_is_sampled() -> None:
    sampler = HeadSampler(1.0, max_per_s=1, monotonic_s=lambda: 0.0)
    assert sampler.first_of(100) == 0
    assert sampler.first_of(100) == 100
