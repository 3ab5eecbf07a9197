"""The state of the web gateway, for health and metrics."""

from collections import Counter

from deskbus_protocol.health import ComponentHealth
from deskbus_protocol.wording.quantity import counted


class WebState:
    """Without `configured` there is no gateway, and nothing is wrong with that."""

    def __init__(self, *, configured: bool) -> None:
        self._configured = configured
        self.problem = "it has not begun yet" if configured else ""
        """The reason why it does not listen; empty while it does."""
        self.sockets = 0
        self.requests = 0
        self.refused = 0
        self.statuses: Counter[int] = Counter()
        """Answers by HTTP status."""
        self.violations: Counter[str] = Counter()
        """Pages that did what they may not, by kind."""

    def health(self) -> ComponentHealth:
        if not self._configured:
            return ComponentHealth(status="off", detail="not in the configuration")
        if self.problem:
            return ComponentHealth(status="degraded", detail=self.problem)
        told = ", ".join(
            (
                counted(self.sockets, "WebSocket"),
                counted(self.requests, "request"),
                f"{self.refused} refused",
            )
        )
        return ComponentHealth(status="ok", detail=told)
