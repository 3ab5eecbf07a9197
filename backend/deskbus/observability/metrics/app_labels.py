"""AppLabels: bounds the apps that stand in labels of metrics."""

from collections.abc import Mapping
from typing import TypeVar

OTHER = "other"
MAX_APPS = 100
"""Apps shown by name unless the configuration says otherwise."""

K = TypeVar("K")


class AppLabels:
    """The first apps that are seen keep their names; all later ones are `other` together.

    So an app that is shown once is shown for the length of the run, and no counter jumps back.
    """

    def __init__(self, limit: int = MAX_APPS) -> None:
        self._limit = limit
        self._named: set[str] = set()

    def of(self, app: str) -> str:
        if app in self._named:
            return app
        if len(self._named) < self._limit:
            self._named.add(app)
            return app
        return OTHER

    def sums(self, values: Mapping[str, float]) -> dict[str, float]:
        """The values by label, with those of `other` summed."""
        found: dict[str, float] = {}
        for app, value in values.items():
            label = self.of(app)
            found[label] = found.get(label, 0.0) + value
        return found

    def highest(self, values: Mapping[str, float]) -> dict[str, float]:
        """The values by label, with the highest of `other`."""
        found: dict[str, float] = {}
        for app, value in values.items():
            label = self.of(app)
            found[label] = max(found.get(label, value), value)
        return found
