"""Nothing waits or expires by the wall clock: few places read it, each to tell a person."""

import ast
import re
from pathlib import Path

import pytest

SOURCES = [Path(__file__).resolve().parents[2] / part for part in ("backend", "protocol")]

READERS = {
    "deskbus/storage/clocks.py": "once at a start; from there on a monotonic clock counts",
    "deskbus/audit/write/recovery.py": "names a folder that was set aside, with a random part",
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

WALL = {
    ("time", name)
    for name in ("time", "time_ns", "gmtime", "localtime", "ctime", "asctime", "CLOCK_REALTIME")
} | {(kind, name) for kind in ("datetime", "date") for name in ("now", "utcnow", "today")}

SCRIPTS = Path(__file__).resolve().parents[2] / "electron-bridge/src"
SCRIPTS_READERS = {
    "main/windows/apps/app-windows.ts": "says when a window crashed",
    "node/link/clock.ts": "once at a start; from there on a monotonic clock counts",
    "page/bus.ts": "names a page, with a random part",
    "page/fdc3/messaging.ts": "says when a message was made, as DACP has it",
    "preload/index.ts": "names a page, with a random part",
    "renderer/crash/crash.ts": "once for a page, for how long the restart was away then",
    "renderer/panel/cell.ts": "says the day only where that is another than today",
    "control/format.ts": "says the day only where that is another than today",
    "web/desktop/wcp.ts": "says when a message was made, as WCP has it",
    "web/page.ts": "names a page, with a random part",
}
SCRIPTS_WALL = re.compile(r"\bDate\.now\b|\bnew Date\(\)|\bperformance\.timeOrigin\b")


def reads_the_wall_clock(text: str) -> bool:
    return any(
        (
            isinstance(node, ast.ImportFrom)
            and (
                any(name.name == "wall_ms" for name in node.names)
                or any((node.module, name.name) in WALL for name in node.names)
            )
        )
        or (
            isinstance(node, ast.Attribute)
            and (ast.unparse(node.value).rpartition(".")[2], node.attr) in WALL
        )
        for node in ast.walk(ast.parse(text))
    )


@pytest.mark.parametrize(
    "line",
    [
        "import time; time.time()",
        "from time import time_ns",
        "import datetime; datetime.datetime.now()",
        "from datetime import date; date.today()",
        "import time; time.strftime('%Y', time.gmtime())",
        "from deskbus.storage.clocks import wall_ms",
    ],
)
def test_each_way_to_read_the_wall_clock_is_found(line: str) -> None:
    assert reads_the_wall_clock(line)
    assert not reads_the_wall_clock("import time; time.monotonic(); time.perf_counter()")


@pytest.mark.requirement("W")
def test_scripts_read_the_wall_clock_to_tell_a_person_or_another_program_alone() -> None:
    found = {
        path.relative_to(SCRIPTS).as_posix()
        for path in SCRIPTS.rglob("*.ts")
        if SCRIPTS_WALL.search(path.read_text("utf-8"))
    }
    assert found == SCRIPTS_READERS.keys()


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
        if reads_the_wall_clock(path.read_text("utf-8"))
    }
    assert found == set(READERS)
