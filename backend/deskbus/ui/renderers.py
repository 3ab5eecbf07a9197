"""Which processes render the windows of which app, as the shell tells it."""

from collections.abc import Callable


class Renderers:
    """Renderer processes count to their app's figures; they are never ended by their pid."""

    def __init__(self, on_changed: Callable[[str], None] | None = None) -> None:
        self._pids: dict[str, list[int]] = {}
        self._on_changed = on_changed

    def told(self, app: str, pids: list[int]) -> None:
        if pids:
            self._pids[app] = pids
        else:
            self._pids.pop(app, None)
        if self._on_changed is not None:
            self._on_changed(app)

    def of(self, app: str) -> list[int]:
        return list(self._pids.get(app, ()))
