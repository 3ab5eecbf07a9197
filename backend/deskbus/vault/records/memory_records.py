"""Records where there is no keychain and no master password: in memory, and gone at the end."""

from collections.abc import Iterable

from deskbus.contracts.progress import ReportProgress
from deskbus.vault.records.sealed_records import Name

MAX_BYTES = 64 * 1024 * 1024
"""Limit of all apps together."""

MAX_APP_BYTES = 8 * 1024 * 1024
"""Limit of one app, so that none fills the memory of the others. The backend's own records don't
count.
"""

_RECORD_BYTES = 512
"""The approximate cost of a record beside its value."""


class MemoryFullError(Exception):
    """A value does not fit, and nothing was changed. `whose` is text for people."""

    def __init__(self, whose: str, limit_bytes: int) -> None:
        super().__init__(f"{whose} may keep {limit_bytes} bytes in memory")
        self.whose = whose
        self.limit_bytes = limit_bytes


class MemoryRecords:
    """The face of `Records` without a disk."""

    def __init__(self) -> None:
        self._values: dict[Name, bytes] = {}
        self._sizes: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._values)

    def items(self) -> list[tuple[Name, bytes]]:
        return list(self._values.items())

    def get(self, name: Name) -> bytes | None:
        return self._values.get(name)

    def names(self) -> list[Name]:
        return list(self._values)

    def put(
        self,
        values: Iterable[tuple[Name, bytes]],
        progress: ReportProgress | None = None,
        total: int = 0,
    ) -> None:
        """Stores all of the values or none; raises `MemoryFullError`."""
        coming = dict(values)
        sizes = dict(self._sizes)
        for name, value in coming.items():
            before = self._values.get(name)
            sizes[name.app] = sizes.get(name.app, 0) + _size(value) - _size(before)
        _check(sizes, {name.app for name in coming})
        self._values.update(coming)
        self._sizes = sizes
        if progress:
            progress(len(coming), total)

    def delete(self, name: Name) -> bool:
        """Removes a record; returns whether there was one."""
        value = self._values.pop(name, None)
        if value is None:
            return False
        self._sizes[name.app] -= _size(value)
        return True


def _size(value: bytes | None) -> int:
    return 0 if value is None else len(value) + _RECORD_BYTES


def _check(sizes: dict[str, int], changed: set[str]) -> None:
    apps = changed - {""}
    if any(sizes[app] > MAX_APP_BYTES for app in apps):
        raise MemoryFullError("an app", MAX_APP_BYTES)
    if apps and sum(size for app, size in sizes.items() if app) > MAX_BYTES:
        raise MemoryFullError("all apps together", MAX_BYTES)
