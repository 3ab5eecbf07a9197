"""Samples of how long messages take."""

import anyio

from deskbus.observability.metrics.delivery_latency import BEAT_S, SAMPLES_A_BEAT, DeliveryLatency
from tests.support.clocks import ManualClock


def reads(latency: DeliveryLatency, clock: ManualClock, count: int, *, within_s: float) -> int:
    """How many of so many reads, evenly spread over a time, were measured."""
    sampled = 0
    for _ in range(count):
        clock.now_s += within_s / count
        latency.read_begins()
        if latency.since_s:
            sampled += 1
            latency.delivered("live")
        latency.read_ends()
    return sampled


async def test_a_quiet_bus_is_measured_whole() -> None:
    clock = ManualClock()
    latency = DeliveryLatency(clock)
    assert reads(latency, clock, 50, within_s=60.0) == 50


async def test_a_busy_bus_is_measured_a_bounded_number_of_times_a_second() -> None:
    clock = ManualClock()
    latency = DeliveryLatency(clock)
    reads(latency, clock, 25_000, within_s=BEAT_S)  # learns the rate
    sampled = reads(latency, clock, 400_000, within_s=4.0)
    assert sampled <= 4.0 / BEAT_S * (SAMPLES_A_BEAT + 1)
    assert sampled >= 4.0 / BEAT_S * (SAMPLES_A_BEAT - 1)


async def test_a_sample_lasts_until_the_loop_has_written() -> None:
    clock = ManualClock()
    latency = DeliveryLatency(clock)
    latency.read_begins()
    latency.delivered("live")
    latency.delivered("acknowledged", "c" * 32)
    latency.read_ends()
    clock.now_s += 0.002
    await anyio.lowlevel.checkpoint()
    for mode, found in latency.snapshots().items():
        assert sum(found.counts) == 1, mode
        assert abs(found.sum_s - 0.002) < 1e-9


async def test_a_read_that_reaches_nobody_is_no_sample() -> None:
    latency = DeliveryLatency(ManualClock())
    latency.read_begins()
    latency.read_ends()
    await anyio.lowlevel.checkpoint()
    assert not any(sum(found.counts) for found in latency.snapshots().values())
