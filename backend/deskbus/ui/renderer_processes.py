"""Processes that render the windows of each app, as the shell tells them."""


class RendererProcesses:
    """Renderer processes count to their app's figures; they are never ended by their pid."""

    def __init__(self) -> None:
        self._pids: dict[str, list[int]] = {}

    def on_renderers_changed(self, app: str, pids: list[int]) -> None:
        if pids:
            self._pids[app] = pids
        else:
            self._pids.pop(app, None)

    def of(self, app: str) -> list[int]:
        return list(self._pids.get(app, ()))
