"""TypeScript shares the protocol's constants by generation, and has no copy made by hand."""

import importlib
import pkgutil
import re
from functools import cache
from math import prod
from pathlib import Path

import pytest

import deskbus_protocol
from deskbus_protocol.export.shared_constants import Constant
from deskbus_protocol.export.shared_constants import constants as shared_constants

SOURCES = Path(__file__).resolve().parents[4] / "electron-bridge/src"

DECLARED = re.compile(r"^(?:export )?const ([A-Z][A-Z0-9_]*) = (.+?);$", re.MULTILINE)
PRODUCT = re.compile(r"\d[\d_]*(?: \* \d[\d_]*)*\Z")
POWER = re.compile(r"(\d+) \*\* (\d+)\Z")
COINCIDENCES = {
    "ALLOW_MARGIN_MS",
    "BATCH_CHARACTERS",
    "BATCH_LINES",
    "CACHED_TOPICS",
    "CLOSE_LIMIT_MS",
    "FIRST_RESTART_MS",
    "GRACE_MS",
    "HELLO_LIMIT_MS",
    "IDLE_MS",
    "KNOWN_TOPICS",
    "LAST_RESTART_MS",
    "LETTERS",
    "LOOK_EVERY_MS",
    "LOOK_MS",
    "MAX_DELAY_MS",
    "MAX_NAME",
    "MAX_WAITING_STEPS",
    "MIN_HEIGHT",
    "OPEN_LIMIT_MS",
    "OUTPUT_LIMIT_MS",
    "PAUSE_CHARACTERS",
    "PLACE_EVERY_MS",
    "PROBE_LIMIT_MS",
    "RELOAD_WITHIN_MS",
    "SIGN_LIMIT_MS",
    "SLOW_SPAN_MS",
    "STATUS_MS",
    "STOP_LIMIT_MS",
    "TELL_AFTER_MS",
    "TICK_MS",
    "TYPING_MS",
    "WINDOW_CHARACTERS",
}
"""Limits of TypeScript's own, which have the number of a shared one by chance."""


@cache
def constants() -> list[Constant]:
    return list(shared_constants())


@cache
def protocol_names() -> set[str]:
    """Every shared constant and every number of the protocol: TypeScript declares no other."""
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.walk_packages(deskbus_protocol.__path__, "deskbus_protocol.")
        if not found.name.startswith(("deskbus_protocol.client", "deskbus_protocol.export"))
    ]
    return {
        name
        for module in modules
        for name, value in vars(module).items()
        if re.fullmatch(r"[A-Z][A-Z0-9_]+", name) and isinstance(value, int)
    } | {shared.name for shared in constants()}


def number(text: str) -> int | None:
    """The value of a product or a power of literals; None for any other expression."""
    if power := POWER.match(text):
        return int(int(power[1]) ** int(power[2]))
    return prod(map(int, text.split(" * "))) if PRODUCT.match(text) else None


def copies(source: str) -> list[str]:
    """The shared constants that a TypeScript source says again, by name, number or text."""
    names = protocol_names()
    # Smaller numbers and shorter texts stand for anything.
    numbers = {row.value for row in constants() if isinstance(row.value, int) and row.value > 10}
    texts = [row.value for row in constants() if isinstance(row.value, str) and len(row.value) > 8]
    declared = [
        name
        for name, text in DECLARED.findall(source)
        if name in names or (name not in COINCIDENCES and number(text) in numbers)
    ]
    return declared + [text for text in texts if text in source]


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(SOURCES.rglob("*.ts")) if "generated" not in path.parts],
    ids=lambda path: str(path.relative_to(SOURCES)),
)
def test_no_typescript_source_has_a_constant_of_the_protocol_by_hand(path: Path) -> None:
    assert copies(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("line", "copy"),
    [
        ("const MAX_RUNS = 9;", "MAX_RUNS"),
        ("const MAX_TOPIC_BYTES = 255;", "MAX_TOPIC_BYTES"),
        ("export const FIRST_PRIVATE = 2 ** 40;", "FIRST_PRIVATE"),
        ("const LIMIT = 4 * 1024 * 1024;", "LIMIT"),
        ("const MAX_MESSAGES = 2_000;", "MAX_MESSAGES"),
        ("  const at = text.indexOf(',\"timestamp\":', from);", ',"timestamp":'),
        ("  const pipe = process.env['DESKBUS_PIPE'];", "DESKBUS_PIPE"),
    ],
)
def test_a_copy_is_found_by_name_number_and_text(line: str, copy: str) -> None:
    assert copies(f"// A source.\n{line}\n") == [copy]


def test_the_generated_constants_have_the_protocols_values_and_docstrings() -> None:
    text = (SOURCES / "generated/constants.ts").read_text("utf-8")
    assert "export const DIRECTED_SEQ = 1099511627776;" in text
    assert "/** Runs of the backend that a client may tell of when it continues. */" in text
    assert all(f"export const {shared.name} = " in text for shared in constants())
    assert all(
        shared.summary or shared.name.endswith(("_MEMBER", "_HEAD")) for shared in constants()
    )
