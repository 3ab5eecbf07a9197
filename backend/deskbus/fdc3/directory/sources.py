"""Sources of an app directory: files, folders and https addresses. Blocks."""

import hashlib
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
import structlog

from deskbus.fdc3.directory.app_record import AppRecord
from deskbus.storage import durable_files
from deskbus.storage.regular_file import read_regular_file

MAX_BYTES = 16 * 1024 * 1024
"""Limit of one source."""

MAX_RECORDS = 10_000
FETCH_WITHIN_S = 10.0
"""Timeout of each step of a download; the last copy stands in for a directory that does not answer.
"""

BODY_WITHIN_S = 30.0
"""Timeout of a download's whole body."""

MAX_REASON = 300
"""Characters of a reason, which may quote what a server sent."""

if TYPE_CHECKING:
    from http.client import HTTPResponse

log = structlog.get_logger()


class SourceError(Exception):
    """A source can't be read; the message says why."""


class Loaded(NamedTuple):
    """`folder` has the file that the record is from; None where it was downloaded."""

    record: AppRecord
    folder: Path | None

    @property
    def local(self) -> bool:
        """Whether it is from a file of this machine, as an administrator put it there."""
        return self.folder is not None


class DirectorySources:
    """Reads every source; `problems` are those of the last reading, by source."""

    def __init__(self, sources: Iterable[str], folder: Path, cache: Path) -> None:
        """Paths are taken from `folder`; copies of what was downloaded are kept in `cache`."""
        self._sources = tuple(sources)
        self._folder = folder
        self._cache = cache
        self.problems: dict[str, str] = {}

    def load(self) -> list[Loaded]:
        """Reads all valid records, in the order of their sources."""
        self.problems = {}
        found: list[Loaded] = []
        for source in self._sources:
            local = "://" not in source
            try:
                texts = list(self._files(source)) if local else [(None, self._download(source))]
            except (OSError, SourceError) as error:
                self._problem(source, str(error))
                continue
            for folder, text in texts:
                found += [Loaded(record, folder) for record in self._records(source, text)]
        return found[:MAX_RECORDS]

    def _files(self, source: str) -> Iterator[tuple[Path | None, bytes]]:
        path = self._folder / source
        for file in sorted(path.glob("*.json")) if path.is_dir() else [path]:
            yield file.parent, read_regular_file(file, MAX_BYTES)

    def _download(self, address: str) -> bytes:
        copy = self._cache / f"{hashlib.sha256(address.encode()).hexdigest()}.json"
        try:
            text = fetch(address)
        except (OSError, SourceError) as error:
            if not copy.is_file():
                raise
            self._problem(address, f"{error}; its last copy is used")
            return read_regular_file(copy, MAX_BYTES)
        self._cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        durable_files.write_whole(copy, text)
        return text

    def _records(self, source: str, text: bytes) -> Iterator[AppRecord]:
        try:
            document: Any = msgspec.json.decode(text)
        except msgspec.MsgspecError:
            self._problem(source, "it is no JSON document")
            return
        if isinstance(document, dict):
            document = document.get("applications", [document])
        for number, item in enumerate(document if isinstance(document, list) else [document]):
            try:
                yield msgspec.convert(item, AppRecord)
            except msgspec.ValidationError as error:
                self._problem(source, f"application {number}: {error}")

    def _problem(self, source: str, words: str) -> None:
        log.warning("fdc3.directory", source=source, problem=words)
        self.problems.setdefault(source, words)


def fetch(address: str, limit: int = MAX_BYTES, accept: str = "application/json") -> bytes:
    """Downloads a directory, or what belongs to one; raises `OSError`, `SourceError`."""
    # HTTP's parts, which no start needs whose directories are files.
    from http.client import HTTPException
    from urllib.error import URLError
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    class HttpsOnly(HTTPRedirectHandler):
        """A redirection may not lead away from https."""

        def redirect_request(
            self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
        ) -> Request | None:
            _check_address(newurl)
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    try:
        _check_address(address)
        request = Request(address, headers={"Accept": accept})  # noqa: S310 - https alone
        with build_opener(HttpsOnly).open(request, timeout=FETCH_WITHIN_S) as answer:
            body = _body(answer, limit)
    except URLError as error:
        raise SourceError(f"it can't be had: {error.reason}") from None
    except (HTTPException, ValueError) as error:
        # An address that can't be one, or an answer that is no HTTP: neither is an OSError.
        raise SourceError(f"it can't be had: {error!r}"[:MAX_REASON]) from None
    if len(body) > limit:
        raise SourceError(f"it is larger than {limit // 1024} KiB")
    return body


def _check_address(address: str) -> None:
    if urlsplit(address).scheme != "https":
        raise SourceError("a directory's address begins with https://")


def _body(answer: "HTTPResponse", limit: int) -> bytes:
    """Up to one byte beyond the limit; raises `SourceError` where it takes too long."""
    end_s = time.monotonic() + BODY_WITHIN_S
    body = bytearray()
    while len(body) <= limit and (block := answer.read1(limit + 1 - len(body))):
        if time.monotonic() > end_s:
            raise SourceError(f"it took longer than {BODY_WITHIN_S:.0f} s")
        body += block
    return bytes(body)
