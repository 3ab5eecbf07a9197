"""LayoutFiles: layouts of the desk, a file of JSON each, which a person may copy and edit."""

import re
from pathlib import Path

import msgspec
import structlog
from msgspec import Raw
from msgspec.structs import replace

from deskbus.storage import durable_files
from deskbus.storage.handwritten_file import HandwrittenFile, HandwrittenFileError
from deskbus.storage.newer_format import NewerFormatError, refuse_newer
from deskbus.storage.regular_file import read_regular_file
from deskbus_protocol.errors import (
    DEGRADED,
    INVALID_PARAMS,
    NOT_FOUND,
    OVERLOADED,
    TOO_LARGE,
    DeskbusError,
)
from deskbus_protocol.layouts import LAST, LAYOUT_NAME, LAYOUT_VERSION, Layout, LayoutSummary
from deskbus_protocol.pattern import whole

FOLDER = "layouts"
MAX_LAYOUTS = 100
MAX_BYTES = 16 * 1024 * 1024
"""Limit of one layout."""

_PREFIX, _SUFFIX = "layout-", ".json"
_NAME = re.compile(whole(LAYOUT_NAME))

log = structlog.get_logger()

WrittenLayout = HandwrittenFile[Layout]


class LayoutFiles:
    """Below `folder`, which is made with the first layout. Everything here blocks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path_of(self, name: str) -> Path:
        return self._folder / f"{_PREFIX}{name}{_SUFFIX}"

    def names(self) -> list[str]:
        files = self._folder.glob(f"{_PREFIX}*{_SUFFIX}")
        names = (file.name[len(_PREFIX) : -len(_SUFFIX)] for file in files)
        return sorted(name for name in names if _NAME.fullmatch(name))

    def read(self, name: str) -> Layout:
        """Raises `DeskbusError`: not_found, invalid_params (with the line), newer_format."""
        path = self.path_of(name)
        try:
            content = read_regular_file(path, MAX_BYTES)
            refuse_newer(content, LAYOUT_VERSION, f"the layout {name}")
            return _on_one_line(WrittenLayout(Path(path.name), Layout).read_json(content))
        except FileNotFoundError:
            raise DeskbusError(
                NOT_FOUND,
                f"There is no layout {name}.",
                action="Save it first, or look at the list.",
            ) from None
        except NewerFormatError as error:
            raise error.to_wire() from None
        except HandwrittenFileError as error:
            raise DeskbusError(INVALID_PARAMS, error.cause, action=error.action) from None
        except OSError as error:
            words = f"The layout {name} can't be read: {error.strerror}."
            raise DeskbusError(DEGRADED, words) from None

    def write(self, name: str, layout: Layout) -> Path:
        """Raises `DeskbusError`: degraded, newer_format, too_large, overloaded (too many)."""
        path = self.path_of(name)
        content = msgspec.json.format(msgspec.json.encode(layout), indent=1)
        if len(content) > MAX_BYTES:
            raise DeskbusError(TOO_LARGE, "The layout is larger than 16 MiB.")
        try:
            if name != LAST and not path.exists() and len(self.names()) >= MAX_LAYOUTS:
                raise DeskbusError(
                    OVERLOADED,
                    f"There are {MAX_LAYOUTS} layouts already.",
                    action="Remove one that nobody needs.",
                )
            if path.exists():
                refuse_newer(
                    read_regular_file(path, MAX_BYTES), LAYOUT_VERSION, f"the layout {name}"
                )
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            durable_files.write_whole(path, content)
        except NewerFormatError as error:
            raise error.to_wire() from None
        except OSError as error:
            log.error("layout.not_written", name=name, reason=error.strerror)  # noqa: TRY400
            words = f"The layout {name} can't be written: {error.strerror}."
            raise DeskbusError(DEGRADED, words) from None
        return path

    def remove(self, name: str) -> None:
        """Raises `DeskbusError`: not_found, degraded."""
        try:
            self.path_of(name).unlink()
        except FileNotFoundError:
            raise DeskbusError(NOT_FOUND, f"There is no layout {name}.") from None
        except OSError:
            raise DeskbusError(DEGRADED, "The layout can't be deleted.") from None

    def summaries(self) -> list[LayoutSummary]:
        """Describes the layouts that can be read; others are left out, and the log says so."""
        found: list[LayoutSummary] = []
        for name in self.names():
            try:
                found.append(summary_of(name, self.read(name)))
            except DeskbusError as error:
                log.warning("layout.unreadable", name=name, reason=error.message)
        return found


def _on_one_line(layout: Layout) -> Layout:
    """Contexts as they go over the wire, where a newline ends a message."""
    contexts = [
        replace(last, context=Raw(msgspec.json.format(last.context, indent=-1)))
        for last in layout.contexts
    ]
    return replace(layout, contexts=contexts)


def summary_of(name: str, layout: Layout) -> LayoutSummary:
    return LayoutSummary(
        name=name,
        saved_at=layout.saved_at,
        apps=len(layout.apps),
        windows=sum(len(app.windows) for app in layout.apps),
        contexts=len(layout.contexts),
    )
