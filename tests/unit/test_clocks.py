"""Nothing waits or expires by the wall clock: few places read it, each to tell a person."""

import ast
import re
from pathlib import Path

import pytest

SOURCES = [Path(__file__).resolve().parents[2] / part for part in ("backend", "protocol")]

READERS = {
    "deskbus/storage/clocks.py": "once at a start; from there on a monotonic clock counts",
    "deskbus/audit/logger.py": "stamps records, each with a monotonic time beside it",
    "deskbus/components/backend_run.py": "names a run",
    "deskbus/components/desk_layouts.py": "says when a layout was saved",
    "deskbus/components/user_interface.py": "says on a crash page when it was",
    "deskbus/commands/audit.py": "dates a report",
    "deskbus/ui/panels/audit_panel.py": "what a person means by the last hours",
    "deskbus/handlers/apps.py": "says when a state was saved",
    "deskbus/processes/runtime/crash_report.py": "says when an app crashed",
    "deskbus/processes/limit_monitor.py": "says when usage was measured",
    "deskbus_protocol/client/fdc3.py": "says when a request was made, as DACP has it",
    "deskbus/processes/installed_apps.py": "says when an app was installed",
    "deskbus/processes/system/portable_processes.py": "compares with when processes started",
    "deskbus/observability/tracing/tracer.py": "dates spans for a collector, once at a start",
    "deskbus/commands/support.py": "dates the files of an archive",
    "deskbus_protocol/client/client_tracer.py": "dates the steps of a trace",
    "deskbus/vault/keys/keyset.py": "says when a key was made",
}
"""With what each does with it. One that waits or compares belongs to `storage/clocks.py`."""

WALL = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow")}


def reads_the_wall_clock(path: Path) -> bool:
    return any(
        (isinstance(node, ast.ImportFrom) and "wall_ms" in [name.name for name in node.names])
        or (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and (node.value.id, node.attr) in WALL
        )
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
    )


def test_milliseconds_of_the_wall_clock_are_made_in_one_place() -> None:
    found = [
        path.name
        for source in SOURCES
        for path in source.rglob("*.py")
        if re.search(r"time_ns\(\) // 1_000_000|time\.time\(\) \* 1000", path.read_text("utf-8"))
    ]
    assert found == ["clocks.py"]


@pytest.mark.requirement("W")
def test_only_places_that_tell_a_person_the_time_read_the_wall_clock() -> None:
    found = {
        path.relative_to(source).as_posix()
        for source in SOURCES
        for path in source.rglob("*.py")
        if reads_the_wall_clock(path)
    }
    assert found == set(READERS)
