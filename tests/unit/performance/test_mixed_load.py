"""The assertions of `make load`, and its knee."""

from typing import Any

import pytest

from tests.performance.mixed_load import (
    MEMORY_MB,
    P50_MS,
    P99_MS,
    PAGE_P50_MS,
    Latency,
    Run,
    find_faults,
    find_knee,
)


def span(p99: float = 2.0, p50: float = 1.0, at: int = 1) -> Latency:
    return Latency(p50=p50, p95=p99, p99=p99, max=p99, count=100, at_s=at)


def run(**changes: Any) -> Run:
    sound: dict[str, Any] = {
        "apps": 500,
        "rate": 1_000,
        "per_second": 1_000.0,
        "processor": 0.3,
        "memory_mb": 100.0,
        "lost": 0,
        "failed": 0,
        "all": span(),
        "each": [span(at=at) for at in range(8)],
        "pages": span(),
        "each_of_pages": [span(at=at) for at in range(8)],
        "kinds": {},
    }
    return Run(**{**sound, **changes})


def test_a_sound_run_has_no_fault() -> None:
    assert find_faults([run(apps=apps) for apps in MEMORY_MB]) == []


def test_spans_in_which_the_machine_was_busy_are_no_fault() -> None:
    assert find_faults([run(each=[span(80.0), span(), *[span(80.0)] * 6])]) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lost": 1}, "1 messages lost"),
        ({"failed": 2}, "2 calls failed"),
        ({"each": [span(P99_MS + 0.1)] * 8}, "p99"),
        ({"each": [span(3.0, P50_MS + 0.1)] * 8}, "p50"),
        ({"each_of_pages": [span(9.0, PAGE_P50_MS + 0.1)] * 8}, "pages hear"),
        ({"memory_mb": MEMORY_MB[500] + 1}, "MB"),
    ],
)
def test_each_threshold_is_a_fault_when_it_is_missed(changes: dict[str, Any], words: str) -> None:
    (fault,) = find_faults([run(**changes)])
    assert words in fault


def test_the_knee_is_the_first_rate_that_is_not_followed() -> None:
    slow = run(rate=4_000, per_second=4_000.0, each=[span(P99_MS * 2)] * 8)
    behind = run(rate=8_000, per_second=5_000.0)
    assert find_knee([run(), slow, behind]) is slow
    assert find_knee([run(), behind]) is behind
    assert find_knee([run()]) is None
