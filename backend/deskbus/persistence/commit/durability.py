"""Waiters for the disk, and their callbacks."""

from collections.abc import Callable
from typing import NamedTuple

import structlog

Durable = Callable[[bool], None]
"""Called with whether everything appended before is on the disk."""

log = structlog.get_logger()


class Waiter(NamedTuple):
    """`sealed`: for messages that have to be encrypted first."""

    callback: Durable
    sealed: bool = False


def call_all(waiters: list[Waiter], *, ok: bool) -> None:
    for waiter in waiters:
        try:
            waiter.callback(ok)
        except Exception:  # one waiter's fault must not keep the others waiting
            log.exception("persistence.callback_failed")
