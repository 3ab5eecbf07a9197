"""Exit status: classifies how a process ended, and says it in plain words. Pure."""

import signal
from collections.abc import Iterable
from typing import NamedTuple

from deskbus.processes.policy.limit_policy import MEGABYTE, Excess, open_files_ceiling
from deskbus_protocol.windows import Cause

OUT_OF_MEMORY_WORDS = (
    "JavaScript heap out of memory",
    "MemoryError",
    "Cannot allocate memory",
    "std::bad_alloc",
    "OutOfMemoryError",
)
"""Last words of runtimes that ran out of memory."""

OUT_OF_FILES_WORDS = ("Too many open files", "EMFILE")
"""Words of runtimes that may open no more files."""

SIGNAL_WORDS = {
    "SIGKILL": "somebody killed it",
    "SIGSEGV": "it used memory that is not its own",
    "SIGBUS": "it used memory that is not there",
    "SIGABRT": "it gave up by itself",
    "SIGILL": "it ran into an instruction that this machine does not know",
    "SIGFPE": "it calculated what can't be calculated",
    "SIGTERM": "it was asked to end",
    "SIGINT": "it was interrupted",
    "SIGHUP": "its terminal was closed",
}


class Ending(NamedTuple):
    """The reason why the backend ended a run; without a cause, somebody asked for it."""

    cause: Cause | None
    detail: str = ""
    excess: Excess | None = None


class ExitStatus(NamedTuple):
    """A `cause` of None means an orderly exit."""

    cause: Cause | None
    detail: str
    signal: str | None = None


def judge_end(
    exit_code: int,
    *,
    ending: Ending | None,
    out_of_memory: bool,
    log: Iterable[str],
    ready: bool,
    open_files: int | None = None,
) -> ExitStatus:
    """A negative `exit_code` is a signal's number; `out_of_memory` is what the OS knows of.

    `open_files` is the app's limit of them, if it has one.
    """
    log = list(log)
    name = _signal_name(exit_code)
    if ending is not None:
        return ExitStatus(ending.cause, ending.detail, name)
    if out_of_memory or (
        exit_code and any(word in line for line in log for word in OUT_OF_MEMORY_WORDS)
    ):
        return ExitStatus("out_of_memory", "It ran out of memory.", name)
    if (
        open_files is not None
        and exit_code
        and any(word in line for line in log for word in OUT_OF_FILES_WORDS)
    ):
        return ExitStatus("limit", excess_words(out_of_files(open_files)), name)
    if name is not None:
        words = SIGNAL_WORDS.get(name, "")
        return ExitStatus("signal", f"It was ended by {name}{words and f': {words}'}.", name)
    if exit_code == 0:
        return ExitStatus(None, "It ended by itself.")
    when = "" if ready else " before it was ready"
    return ExitStatus("exit", f"It ended by itself{when}, with exit code {exit_code}.")


def out_of_files(limit: int) -> Excess:
    """The excess of an app that hit the OS's own bound before a sample could find it over its
    limit.
    """
    return Excess("open_files", open_files_ceiling(limit), limit)


def excess_words(excess: Excess) -> str:
    """One sentence about a limit that was exceeded."""
    limit, measured, allowed = excess
    if limit == "memory":
        return (
            f"It used {measured / MEGABYTE:,.0f} MB of memory; {allowed / MEGABYTE:,.0f} MB are "
            "allowed."
        )
    if limit == "cpu":
        return f"It used {measured:,.0f} % of a processor core; {allowed:,.0f} % are allowed."
    if limit == "processes":
        return f"It had {measured:,.0f} processes; {allowed:,.0f} are allowed."
    if limit == "open_files":
        return f"It had {measured:,.0f} files open; {allowed:,.0f} are allowed."
    if limit == "messages":
        return f"It sent {measured:,.0f} messages a second; {allowed:,.0f} are allowed."
    what = "wrote into its log" if limit == "log" else "sent over the bus"
    return f"It {what} {measured / 1024:,.0f} KB a second; {allowed / 1024:,.0f} KB are allowed."


def renderer_words(reason: str) -> str:
    """Electron's `render-process-gone` reason, in words for a person."""
    if reason == "oom":
        return "The process that draws its window ran out of memory."
    return f"The process that draws its window has ended ({reason})."


def _signal_name(exit_code: int) -> str | None:
    if exit_code >= 0:
        return None
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"
