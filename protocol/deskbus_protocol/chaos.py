"""`chaos.*`: faults of the machine, made on purpose where the configuration allows development."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from deskbus_protocol.method import Method, Params, Result

Fault = Literal[
    "loop-stall",
    "no-descriptors",
    "disk-full",
    "no-memory",
    "shell-stall",
    "vault-locked",
    "app-killed",
    "watchdog-killed",
]

FAULTS: Mapping[Fault, str] = MappingProxyType(
    {
        "loop-stall": "the event loop stands still, as on a machine that is overloaded",
        "no-descriptors": "no file or connection can be opened (RLIMIT_NOFILE)",
        "disk-full": "no file can grow (RLIMIT_FSIZE)",
        "no-memory": "no more memory is to be had (RLIMIT_AS)",
        "shell-stall": "the shell, and with it every window, stands still (SIGSTOP)",
        "vault-locked": "the vault is locked, until a person unlocks it",
        "app-killed": "every app is killed (SIGKILL)",
        "watchdog-killed": "the process that ends apps after the backend is killed (SIGKILL)",
    }
)
"""A sentence for each fault; one that names no end lasts for the time that the caller asks for."""

Seconds = Annotated[float, Meta(ge=0.1, le=20)]


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """The machine's resources that the backend holds."""

    descriptors: int
    threads: int
    tasks: int


class CauseParams(Params, frozen=True, kw_only=True):
    """A fault lasts for so many seconds, unless it is done in a moment."""

    fault: Fault
    seconds: Seconds = 3.0


class CauseResult(Result, frozen=True, kw_only=True):
    """Comes when the fault is over."""

    before: Held
    after: Held


METHODS = (
    Method(
        name="chaos.cause",
        summary="Makes a fault of the machine; refused unless development mode is on.",
        params=CauseParams,
        result=CauseResult,
        callers="shell",
        recorded="before",
    ),
)
