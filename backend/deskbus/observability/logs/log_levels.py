"""LogLevels: which lines are written, by component, changeable while the backend runs."""

import logging
from collections.abc import Mapping

LEVELS = ("debug", "info", "warning", "error")
MAX_COMPONENTS = 100


class LogLevels:
    """Levels by component: the first word of an event, such as `vault` in `vault.disk`."""

    def __init__(self, level: str = "info") -> None:
        self._default = level
        self._numbers: dict[str, int] = {}
        self._number = _number(level)
        self._levels: dict[str, str] = {}

    @property
    def default(self) -> str:
        return self._default

    @property
    def components(self) -> Mapping[str, str]:
        """Components that have a level of their own."""
        return self._levels

    def set(self, level: str, component: str | None = None) -> bool:
        """Sets the default level, or that of one component; returns False where too many components
        have one.
        """
        if component is None:
            self._default, self._number = level, _number(level)
            return True
        if component not in self._levels and len(self._levels) >= MAX_COMPONENTS:
            return False
        self._levels[component] = level
        self._numbers[component] = _number(level)
        return True

    def reset(self, component: str) -> None:
        """Returns a component to the default level."""
        self._levels.pop(component, None)
        self._numbers.pop(component, None)

    def lets_through(self, event: str, number: int) -> bool:
        if not self._numbers:
            return number >= self._number
        component = event.partition(".")[0]
        return number >= self._numbers.get(component, self._number)


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]
