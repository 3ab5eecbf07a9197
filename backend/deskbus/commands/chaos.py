"""`deskbus chaos`: one fault of the machine in a running backend, and whether it gets well again.

For development: a backend without `development = true` in its configuration refuses.
"""

from argparse import Namespace

import anyio
import msgspec
from msgspec import UNSET, UnsetType

from deskbus.commands.backend.developer_session import run_with_client
from deskbus.commands.terminal import output
from deskbus.commands.terminal.failures import DONE, FAILED, MisuseError
from deskbus_protocol.audit import AuditVerdict
from deskbus_protocol.chaos import FAULTS, CauseResult, Fault, Held
from deskbus_protocol.client import Client
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.health import HealthResult

WELL_WITHIN_S = 45.0
LOOK_EACH_S = 0.1
ANSWER_BEYOND_S = 20.0
MORE_DESCRIPTORS = 6
"""Files that may be open after a fault and were not before: each log may have begun a new one."""

OF_THE_MACHINE = frozenset({"eventLoop", "disk", "resources"})
"""Components that tell of the machine rather than of the backend."""

LASTING: dict[Fault, frozenset[str]] = {"vault-locked": frozenset({"vault", "audit"})}
"""Components that are not well after a fault until a person has done something."""


class ChaosReport(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`well_after` is in milliseconds; without it, `broken` says what did not hold in time."""

    fault: Fault
    before: Held
    after: Held
    well_after: int | UnsetType = UNSET
    broken: list[str] = []


def run(options: Namespace) -> int:
    """Exits with 1 where a promise is broken after the fault.

    Raises `MisuseError` for a fault that is none.
    """
    if options.fault is None:
        output.emit(dict(FAULTS), [["FAULT", "WHAT IT IS"], *map(list, FAULTS.items())])
        return DONE
    if options.fault not in FAULTS:
        raise MisuseError(f"{options.fault} is no fault", f"Faults are {', '.join(FAULTS)}.")
    reports: list[ChaosReport] = []

    async def cause(client: Client) -> None:
        reports.append(await _report(client, options.fault, options.seconds))

    run_with_client(options, cause)
    (report,) = reports
    output.emit(report, facts=_facts(report))
    return FAILED if report.broken else DONE


async def _report(client: Client, fault: Fault, seconds: float) -> ChaosReport:
    health: HealthResult = await client.call("health.get", result=HealthResult)
    unwell = {name for name, each in health.components.items() if each.status == "degraded"}
    with anyio.fail_after(seconds + ANSWER_BEYOND_S):
        held: CauseResult = await client.call(
            "chaos.cause", {"fault": fault, "seconds": seconds}, result=CauseResult
        )
    excused = OF_THE_MACHINE | LASTING.get(fault, frozenset()) | unwell
    begun_at = anyio.current_time()
    broken = ["it was not looked at"]
    while broken and anyio.current_time() - begun_at < WELL_WITHIN_S:
        broken = await _broken(client, health.epoch, excused)
        if broken:
            await anyio.sleep(LOOK_EACH_S)
    well_after = int((anyio.current_time() - begun_at) * 1000)
    if held.after.descriptors > held.before.descriptors + MORE_DESCRIPTORS:
        broken.append(f"{held.after.descriptors} descriptors, {held.before.descriptors} before")
    return ChaosReport(
        fault=fault,
        before=held.before,
        after=held.after,
        well_after=UNSET if broken else well_after,
        broken=broken,
    )


async def _broken(client: Client, epoch: str, excused: frozenset[str]) -> list[str]:
    """The promises that do not hold now."""
    try:
        health = await client.call("health.get", result=HealthResult)
        verdict = await client.call("audit.verify", result=AuditVerdict)
    except DeskbusError as error:
        return [error.message]
    broken = [
        f"{name} is {each.status}: {each.detail or ''}"
        for name, each in health.components.items()
        if each.status in ("degraded", "failed") and name not in excused
    ]
    if health.epoch != epoch:
        broken.append("it is another run of the backend")
    if verdict.verdict == "TAMPERED":
        broken.append("the audit log is not whole")
    return broken


def _facts(report: ChaosReport) -> list[list[str]]:
    ended = (
        [["✗", "well again", each] for each in report.broken]
        if isinstance(report.well_after, UnsetType)
        else [["✓", "well again", f"{report.well_after / 1000:.1f} s after its end"]]
    )
    return [["·", report.fault, FAULTS[report.fault]], *ended]
