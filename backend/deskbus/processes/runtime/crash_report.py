"""The report of a crashed app."""

import time

from msgspec import UNSET

from deskbus.processes.policy.exit_status import ExitStatus
from deskbus.processes.runtime.process_run import ProcessRun
from deskbus.storage.clocks import wall_ms
from deskbus_protocol.apps import Crash
from deskbus_protocol.windows import ResourceSample


def crash_of(
    verdict: ExitStatus,
    run: ProcessRun | None,
    window: str | None,
    exit_code: int | None,
    sample: ResourceSample | None,
) -> Crash:
    """The report of the `run` or `window` that ended; its exit status has a cause."""
    assert verdict.cause is not None
    excess = None if run is None or run.ending is None else run.ending.excess
    return Crash(
        cause=verdict.cause,
        detail=verdict.detail,
        at=wall_ms(),
        uptime_ms=0 if run is None else int((time.monotonic() - run.started_at) * 1000),
        exit_code=UNSET if exit_code is None else exit_code,
        signal=verdict.signal or UNSET,
        limit=UNSET if excess is None else excess.limit,
        window=window or UNSET,
        sample=sample or UNSET,
        log=[] if run is None else run.capture.tail,
    )
