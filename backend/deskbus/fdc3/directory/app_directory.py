"""AppDirectory: the apps that there are, and the intents that they take. Pure."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec import UnsetType

from deskbus.fdc3.directory.app_record import AppRecord, HandledIntent
from deskbus_protocol.pattern import whole
from deskbus_protocol.session import is_reserved

_OWN_ID = re.compile(whole(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*"))
_OTHER = re.compile(r"[^a-z0-9]+")
MAX_ID = 128
GENERIC_RESULTS = ("channel",)
"""Result types that stand for all `<type>` of theirs."""


class Taker(NamedTuple):
    """An app that takes an intent."""

    intent: str
    app_id: str
    handled: HandledIntent

    @property
    def display_name(self) -> str:
        name = self.handled.display_name
        return self.intent if isinstance(name, UnsetType) else name


class AppDirectory:
    """Records by FDC3's app id; the first of an id counts, as the configuration has it."""

    def __init__(self, records: Iterable[AppRecord] = ()) -> None:
        self._records: dict[str, AppRecord] = {}
        self._apps: dict[str, str] = {}
        for record in records:
            app = own_id(record)
            if record.app_id not in self._records and app not in self._apps:
                self._records[record.app_id] = record
                self._apps[app] = record.app_id

    def __iter__(self) -> Iterator[AppRecord]:
        return iter(self._records.values())

    def __len__(self) -> int:
        return len(self._records)

    def record(self, app_id: str) -> AppRecord | None:
        """The record by FDC3's id; a fully qualified one (`app@directory.host`) is found by its app
        too.
        """
        found = self._records.get(app_id)
        return found or self._records.get(app_id.rpartition("@")[0])

    def app_of(self, app_id: str) -> str | None:
        """The id by which the bus knows an app of the directory."""
        record = self.record(app_id)
        return None if record is None else own_id(record)

    def app_id_of(self, app: str) -> str:
        """FDC3's id of an app of the bus; its own where the directory does not have it."""
        return self._apps.get(app, app)

    def takers(
        self, *, intent: str | None = None, context: str | None = None, result: str | None = None
    ) -> list[Taker]:
        """The apps that say they take the intent with such a context, in the directory's order."""
        return [
            Taker(name, record.app_id, handled)
            for record in self
            for name, handled in record.interop.intents.listens_for.items()
            if intent in (None, name)
            and (context is None or context in handled.contexts)
            and _gives(handled, result)
        ]

    def takes_any(self, app_id: str) -> bool:
        """Whether the directory has any intent for an app."""
        record = self.record(app_id)
        return record is not None and bool(record.interop.intents.listens_for)


def own_id(record: AppRecord) -> str:
    """The id on the bus: `hostManifests.deskbus.app`, or FDC3's where it fits, or made from that.

    An id that is made ends in a digest of FDC3's, so that no two of them meet.
    """
    manifest = record.host_manifests.get("deskbus")
    named = manifest.get("app") if isinstance(manifest, dict) else None
    for wanted in (named, record.app_id):
        fits = isinstance(wanted, str) and len(wanted) <= MAX_ID and _OWN_ID.fullmatch(wanted)
        if isinstance(wanted, str) and fits and not is_reserved(wanted):
            return wanted
    digest = hashlib.sha256(record.app_id.encode()).hexdigest()[:8]
    words = _OTHER.sub("-", record.app_id.lower()).strip("-")[:64].strip("-")
    return f"appd.{words}-{digest}" if words[:1].isalpha() else f"appd.app-{words}-{digest}"


def _gives(handled: HandledIntent, wanted: str | None) -> bool:
    if wanted is None or handled.result_type == wanted:
        return True
    if isinstance(handled.result_type, UnsetType) or wanted not in GENERIC_RESULTS:
        return False
    return handled.result_type.startswith(f"{wanted}<")
