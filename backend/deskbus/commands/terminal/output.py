"""Standard output and standard error: JSON lines for programs, tables on a terminal.

Both are UTF-8 in every locale. Control characters of others' data reach neither raw: in a table
they are written as code points, in JSON as escapes, which is the same JSON.
"""

import os
import re
import select
import shutil
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import anyio
import msgspec
from msgspec import Raw

from deskbus_protocol.wording.display import visible

MIN_WIDTH = 8
"""Least width of a column, in characters."""

MIN_FACT_WIDTH = 24
"""Least width of a value, in characters, however long its name and however narrow the terminal."""

PIECE_CHARACTERS = 1024
"""Characters of at most 4096 bytes, for which a writable pipe has room (PIPE_BUF)."""

_PIECES = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\t\r\n]')
_HIDDEN = (
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"
)
"""Compiled by `re` where it is first used, and kept: that takes milliseconds of a start."""


class OutputError(Exception):
    """Standard output can't be written; the message is the cause."""


class ReaderGoneError(Exception):
    """Nobody reads standard output any more, as after `head`."""


def prepare() -> None:
    """Makes both streams UTF-8. A standard descriptor that is closed can't become another file."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # Read-only: what is written there fails, as it would with no descriptor.
            os.open(os.devnull, os.O_RDONLY)
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # A test may have put another kind of stream there.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def on_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def write(text: str) -> None:
    """Raises `OutputError`, `ReaderGoneError`."""
    if sys.stdout is None:
        raise OutputError("it is closed")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise ReaderGoneError from None
    except OSError as error:
        raise OutputError(error.strerror or "it can't be written") from None


def has_reader() -> bool:
    """Whether somebody may still read standard output.

    Windows does not tell before something is written.
    """
    if sys.platform != "win32" and sys.stdout is not None:
        looked = select.poll()
        looked.register(sys.stdout.fileno(), 0)
        gone = select.POLLERR | select.POLLHUP
        return not any(event & gone for _, event in looked.poll(0))
    return True


def flush() -> None:
    """Writes what a library has left in the buffer; raises as `write` does."""
    if sys.stdout is not None:
        write("")


def give_up() -> None:
    """Drops what is buffered, so that the end of the process writes nothing to an output that
    failed.
    """
    _leave(sys.stdout)


def _leave(stream: TextIO | None) -> None:
    """Discards the buffer, which would otherwise become an exit code of the interpreter's."""
    if stream is None:
        return
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def tell(text: str) -> None:
    """Writes lines for a person to standard error; where that fails there is nobody to tell."""
    with suppress(OSError, ValueError):
        sys.stderr.write("".join(f"{visible(line)}\n" for line in text.split("\n")))
    settle()


def settle() -> None:
    """Writes what standard error has in its buffer, where somebody takes it."""
    try:
        sys.stderr.flush()
    except (OSError, ValueError):
        _leave(sys.stderr)


def emit(
    value: object,
    table: Sequence[Sequence[str]] | None = None,
    *,
    facts: Sequence[Sequence[str]] | None = None,
) -> None:
    """Prints one result: JSON in a line, or on a terminal a table or facts."""
    if not on_terminal():
        write(json_line(value))
        return
    width = shutil.get_terminal_size().columns
    if facts is None and table is None:
        table = table_of(value)
        if isinstance(_builtins(value), dict):
            facts = table
    lines = lines_of(table or (), width) if facts is None else facts_of(facts, width)
    write("".join(f"{line}\n" for line in lines))


def emit_one(value: object, cells: Sequence[str]) -> None:
    """Prints one of many results as it comes: a line of JSON, or on a terminal the cells."""
    write(_line_of(value, cells))


async def emit_next(value: object, cells: Sequence[str]) -> None:
    """As `emit_one`; the event loop goes on while standard output takes nothing."""
    line = _line_of(value, cells)
    for at in range(0, len(line), PIECE_CHARACTERS):
        await _room()
        write(line[at : at + PIECE_CHARACTERS])


def _line_of(value: object, cells: Sequence[str]) -> str:
    if on_terminal():
        return "  ".join(visible(cell) for cell in cells) + "\n"
    return json_line(value)


async def _room() -> None:
    """Waits until a piece can be written without blocking, where the system can tell."""
    # A file always takes more, and Windows can't tell of anything but sockets.
    with suppress(OSError, ValueError):
        stdout = sys.stdout.fileno()
        _, ready, _ = select.select((), (stdout,), (), 0)
        if not ready:
            await anyio.wait_writable(stdout)


def json_line(value: object) -> str:
    """One line of JSON, however a peer has laid it out, in which nothing moves a terminal."""
    text = msgspec.json.encode(value).decode("utf-8", "backslashreplace")
    if re.search(_HIDDEN, text):
        text = _PIECES.sub(_plain, text)
    return text + "\n"


def _plain(found: re.Match[str]) -> str:
    piece = found.group()
    return re.sub(_HIDDEN, _escape, piece) if piece.startswith('"') else " "


def _escape(found: re.Match[str]) -> str:
    units = found.group().encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def table_of(value: object) -> list[list[str]]:
    """A table of any result: a row a member, or a row an item where all are alike."""
    plain = _builtins(value)
    if isinstance(plain, Mapping):
        return [[str(name), text_of(member)] for name, member in plain.items()]
    if not isinstance(plain, list):
        return [[text_of(plain)]]
    if plain and all(isinstance(item, Mapping) for item in plain):
        names = list(dict.fromkeys(name for item in plain for name in item))
        heads = [str(name).upper() for name in names]
        return [heads, *([text_of(item.get(name, "")) for name in names] for item in plain)]
    return [[text_of(item)] for item in plain]


def _builtins(value: object) -> Any:
    return msgspec.json.decode(value) if isinstance(value, Raw) else msgspec.to_builtins(value)


def text_of(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def time_of(unix_ms: float) -> str:
    """In the time zone of who reads it."""
    at = datetime.fromtimestamp(unix_ms / 1000, UTC)
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def lines_of(table: Sequence[Sequence[str]], width: int) -> list[str]:
    """The lines of a table of at most `width` columns; the widest column gives way first."""
    if not table:
        return []
    shown = [[visible(cell.replace("\n", " ")) for cell in row] for row in table]
    widths = [max(map(_width, column)) for column in zip(*shown, strict=True)]
    while sum(widths) + 2 * (len(widths) - 1) > width and max(widths) > MIN_WIDTH:
        widths[widths.index(max(widths))] -= 1
    return [
        "  ".join(_fit(cell, wide) for cell, wide in zip(row, widths, strict=True)).rstrip(" ")
        for row in shown
    ]


def facts_of(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """The lines of a list of facts, a row each, whose last cells are told in whole.

    They go on below themselves where `width` columns don't take them.
    """
    if not rows:
        return []
    names = lines_of([row[:-1] for row in rows], width - 2 - MIN_FACT_WIDTH)
    indent = max(map(_width, names))
    room = max(width - indent - 2, MIN_FACT_WIDTH) if indent else width
    lines = []
    for name, row in zip(names, rows, strict=True):
        first, *others = _wrapped(visible(row[-1].replace("\n", " ")), room)
        lines.append(f"{_fit(name, indent)}  {first}".rstrip(" ") if indent else first)
        lines += [f"{'':{indent}}  {line}" for line in others]
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    """At least one line; a word that is wider than a line is broken."""
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if _width(joined) <= width:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if _width(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    return lines


def _fit(text: str, width: int) -> str:
    while _width(text) > width:
        text = f"{text.removesuffix('…')[:-1]}…"
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    """The columns that it takes: two for a wide letter, none for a mark on one."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )
