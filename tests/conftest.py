"""Fixtures for every test, how long hypothesis looks, and how workers share the tests out.

`--hypothesis-profile=long` looks longer.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import structlog
from hypothesis import settings
from xdist.remote import Producer

from tests.integration.vault.secretservice import SecretService, secret_service
from tests.scheduling import FilesThenSerial, name_alike, put_apart

# No test touches the keychain of whoever runs it; those that need one start their own.
os.environ["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/nonexistent"

# Nor their pipes and data, nor another worker's.
_OWN = tempfile.mkdtemp(prefix="deskbus-tests-")
os.environ["XDG_RUNTIME_DIR"] = os.environ["XDG_DATA_HOME"] = _OWN

# A machine may forbid compiled modules: every backend that starts would then compile them all.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


# The log of a test is read where it fails. Structlog would draw each traceback in it by rich, which
# takes a hundred milliseconds.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(key_order=["level", "event"]),
    ]
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--leak-rounds",
        type=int,
        help="how often what comes and goes does so in the tests of leaks (make leaks)",
    )


@pytest.fixture(scope="session")
def leak_rounds(pytestconfig: pytest.Config) -> Callable[[int], int]:
    """How often to have something come and go, where a test alone would do so a few times."""

    def rounds(few: int) -> int:
        wanted: int | None = pytestconfig.getoption("--leak-rounds")
        return few if wanted is None else max(few, wanted)

    return rounds


def pytest_unconfigure() -> None:
    shutil.rmtree(_OWN, ignore_errors=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    name_alike(items)
    put_apart(items)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FilesThenSerial:
    return FilesThenSerial(config, log)


def pytest_xdist_auto_num_workers() -> int:
    """Two more than there are cores: many a test waits for another process."""
    return (os.cpu_count() or 1) + 2


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


def absent(reason: str) -> NoReturn:
    """Skips on a developer's machine; in CI the set-up has installed it, so there it fails."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def loggers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A test that sets up logging, as every command does, leaves other tests' loggers alone."""
    set_up = structlog.configure

    def configure(**settings: Any) -> None:
        # A logger that keeps what it found would keep it beyond the test.
        set_up(**{**settings, "cache_logger_on_first_use": False})

    before = structlog.get_config()
    monkeypatch.setattr(structlog, "configure", configure)
    yield
    set_up(**before)


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder of the test's own; the path of a socket in `tmp_path` may be too long."""
    with tempfile.TemporaryDirectory(prefix="db-") as folder:
        yield Path(folder)


@pytest.fixture
def keychain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretService]:
    """A real, unlocked gnome-keyring, which the test and the programs that it starts find."""
    if shutil.which("gnome-keyring-daemon") is None:
        absent("there is no gnome-keyring here")
    with secret_service(tmp_path / "home") as started:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", started.env["DBUS_SESSION_BUS_ADDRESS"])
        started.start()
        yield started


settings.register_profile("mutation", max_examples=30, deadline=None, database=None)
settings.register_profile("quick", max_examples=20, deadline=None)
settings.register_profile("short", max_examples=100, deadline=None)
settings.register_profile("histories", max_examples=10_000, deadline=None)
settings.register_profile("long", max_examples=10_000, deadline=None)
settings.load_profile("short")
