"""Decisions that a person asked to be remembered, in a file that survives restarts."""

import os
import threading
from pathlib import Path
from typing import Literal

import msgspec
import structlog

from deskbus.security.rules import denial_covers
from deskbus_protocol.permissions import Grant

FILE_NAME = "decisions.json"

log = structlog.get_logger()


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    app: str
    grant: Grant
    allowed: bool


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: Literal[1] = 1
    decisions: list[Decision]


class DecisionStore:
    """Reads once, writes whole and atomically. A file that can't be read counts as empty.

    Such a file is set aside under another name, so that nothing is lost and nothing is allowed
    because of it.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self.decisions: list[Decision] = []
        self.problem: str | None = None
        self._saving = threading.Lock()

    def load(self) -> None:
        try:
            self.decisions = msgspec.json.decode(self._path.read_bytes(), type=_File).decisions
        except FileNotFoundError:
            return
        except (OSError, msgspec.MsgspecError) as error:
            self.problem = f"{FILE_NAME} could not be read; every permission asks again"
            log.error("decisions.unreadable", reason=type(error).__name__)  # noqa: TRY400
            self._set_aside()

    def add(self, decision: Decision) -> None:
        """Remembers `decision` in place of an earlier one for the same app and grant."""
        self.decisions = [
            known
            for known in self.decisions
            if (known.app, known.grant) != (decision.app, decision.grant)
        ] + [decision]

    def granted(self, app: str) -> list[Grant]:
        return [d.grant for d in self.decisions if d.app == app and d.allowed]

    def denies(self, app: str, wanted: Grant) -> bool:
        return any(
            denial_covers(d.grant, wanted) for d in self.decisions if d.app == app and not d.allowed
        )

    def save(self) -> None:
        """Blocks until the file is on disk; raises `OSError`. May be called on any thread."""
        with self._saving:
            self._save()

    def _save(self) -> None:
        temporary = self._path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(_File(decisions=self.decisions)))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)

    def _set_aside(self) -> None:
        number = 1
        while (aside := self._path.with_suffix(f".unreadable-{number}")).exists():
            number += 1
        try:
            self._path.rename(aside)
        except OSError:
            log.exception("decisions.could_not_set_aside")
