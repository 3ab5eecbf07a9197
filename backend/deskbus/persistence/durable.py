"""Those who wait for the disk."""

from collections.abc import Callable

import structlog

Durable = Callable[[bool], None]
"""Called with whether everything appended before is on the disk."""

log = structlog.get_logger()


def call_all(callbacks: list[Durable], *, ok: bool) -> None:
    for callback in callbacks:
        try:
            callback(ok)
        except Exception:
            log.exception("persistence.callback_failed")
