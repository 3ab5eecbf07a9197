"""How an app ended is told apart, in words for a person."""

import pytest

from deskbus.processes.policy.exit_status import Ending, excess_words, judge_end, renderer_words
from deskbus.processes.policy.limit_policy import MEGABYTE, Excess
from deskbus_protocol.apps import LimitName


@pytest.mark.parametrize(
    ("code", "log", "killed", "cause", "words"),
    [
        (0, [], False, None, "by itself"),
        (3, [], False, "exit", "exit code 3"),
        (-11, [], False, "signal", "SIGSEGV"),
        (-9, [], False, "signal", "somebody killed it"),
        (-9, [], True, "out_of_memory", "ran out of memory"),
        (1, ["MemoryError"], False, "out_of_memory", "ran out of memory"),
        (-6, ["FATAL ERROR: JavaScript heap out of memory"], False, "out_of_memory", "memory"),
        (0, ["MemoryError was handled"], False, None, "by itself"),
        (-64, [], False, "signal", "SIGRTMAX"),
    ],
)
def test_each_end_has_its_cause(
    code: int, log: list[str], killed: bool, cause: str | None, words: str
) -> None:
    verdict = judge_end(code, ending=None, out_of_memory=killed, log=log, ready=True)
    assert verdict.cause == cause
    assert words in verdict.detail


def test_what_we_ended_ourselves_has_our_reason() -> None:
    hung = Ending("hung", "It has given no sign of life for 30 s.")
    verdict = judge_end(-9, ending=hung, out_of_memory=True, log=[], ready=True)
    assert verdict == ("hung", hung.detail, "SIGKILL")


def test_an_end_before_it_was_ready_is_said_so() -> None:
    verdict = judge_end(1, ending=None, out_of_memory=False, log=[], ready=False)
    assert "before it was ready" in verdict.detail


@pytest.mark.parametrize(
    ("limit", "measured", "allowed", "words"),
    [
        ("memory", 300 * MEGABYTE, 256 * MEGABYTE, "300 MB of memory; 256 MB"),
        ("cpu", 180.4, 50, "180 % of a processor core; 50 %"),
        ("processes", 1200, 64, "1,200 processes; 64"),
        ("open_files", 70, 64, "70 files open; 64"),
        ("messages", 5000, 500, "5,000 messages a second; 500"),
        ("bus_bytes", 2048, 1024, "sent over the bus 2 KB a second; 1 KB"),
        ("log", 2048, 1024, "wrote into its log 2 KB a second; 1 KB"),
    ],
)
def test_a_limit_is_told_with_what_was_used_and_what_is_allowed(
    limit: LimitName, measured: float, allowed: float, words: str
) -> None:
    assert words in excess_words(Excess(limit, measured, allowed))


def test_a_window_s_process_is_told_apart_from_the_app_s() -> None:
    assert "draws its window ran out of memory" in renderer_words("oom")
    assert "(crashed)" in renderer_words("crashed")
