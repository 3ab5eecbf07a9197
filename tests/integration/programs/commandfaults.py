"""Runs commands of deskbus under a fault, each in a process of its own; reads and prints JSON.

One process that has imported everything forks for each command: a start of Python for each of
hundreds would take minutes.
"""

import atexit
import ctypes
import gc
import importlib
import json
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pkgutil import walk_packages
from typing import Any

import deskbus.commands
from deskbus import cli

LIMIT_S = 20
LATE = (
    "anyio._backends._asyncio",
    "deskbus.app",
    "deskbus.observability.logs.log_pipeline",
    "deskbus.transport.named_pipes.unix_socket",
    "keyring.backends.SecretService",
    "uvloop",
)
"""Modules that commands import when they need them."""

_CAPABILITIES_VERSION = 0x20080522
_OVERRIDES = 0b110
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: with them root writes where a mode forbids it."""


def run(case: dict[str, Any]) -> dict[str, Any]:
    """The exit code and what was written; -14 is the code of a command that never ended."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if not child:
            become(case, out.fileno(), err.fileno())
            code = cli.main(case["words"])
            # The work of the interpreter at its end, without the time that it takes.
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            atexit._run_exitfuncs()
            os._exit(code)
        _, status = os.waitpid(child, 0)
        told = []
        for file in (out, err):
            file.seek(0)
            told.append(file.read().decode("utf-8", "replace"))
    return {"code": os.waitstatus_to_exitcode(status), "out": told[0], "err": told[1]}


def become(case: dict[str, Any], out: int, err: int) -> None:
    signal.alarm(LIMIT_S)
    os.environ.update(case.get("env", {}))
    os.chdir(case["folder"])
    place(out, 1, case.get("stdout"))
    place(err, 2, case.get("stderr"))
    place(os.open(os.devnull, os.O_RDONLY), 0, case.get("stdin"))
    if case.get("unprivileged"):
        obey_modes()
    if "open_files" in case:
        resource.setrlimit(resource.RLIMIT_NOFILE, (case["open_files"], case["open_files"]))
    # As the interpreter does it at its start.
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            setattr(sys, name, None)
        else:
            encoding = case.get("encoding", "utf-8")
            setattr(sys, name, open(descriptor, mode, encoding=encoding, closefd=False))  # noqa: SIM115
    if "interrupt_s" in case:
        interrupt_after(case["interrupt_s"])


def obey_modes() -> None:
    """Root without the privilege of passing over modes, as every other user is."""
    libc = ctypes.CDLL(None, use_errno=True)
    head = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()
    libc.capget(head, sets)
    sets[0] &= ~_OVERRIDES
    sets[1] &= ~_OVERRIDES
    libc.capset(head, sets)


def interrupt_after(seconds: float) -> None:
    """SIGINT comes so long after the command began, unless it has ended before."""
    run_command = cli._run

    def interrupted(arguments: Sequence[str] | None) -> int:
        # A run of the tests in the background ignores it, and so would this process.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            return run_command(arguments)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    cli._run = interrupted


def place(given: int, descriptor: int, fault: str | None) -> None:
    if fault == "closed":
        os.close(descriptor)
    elif fault == "full":
        os.dup2(os.open("/dev/full", os.O_WRONLY), descriptor)
    elif fault == "unread":
        reading, writing = os.pipe()
        os.close(reading)
        os.dup2(writing, descriptor)
    else:
        os.dup2(given, descriptor)


if __name__ == "__main__":
    # It takes half of what a command does, and is the same for all.
    cli.parser = cache(cli.parser)
    for only_serve in (True, False):
        cli.parser(only_serve=only_serve)
    commands = walk_packages(deskbus.commands.__path__, "deskbus.commands.")
    for name in [*(module.name for module in commands), *LATE]:
        importlib.import_module(name)
    gc.freeze()
    results = [run(case) for case in json.load(sys.stdin)]
    sys.stdout.write(json.dumps(results))
