"""The state of the web gateway, for health and metrics."""

from collections import Counter

from deskbus.languages.health_words import other, phrase, told
from deskbus_protocol.health import ComponentHealth


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
            return told("off", phrase("not-configured", section="[web]"))
        if self.problem:
            return told("degraded", other(self.problem))
        counts = {"sockets": self.sockets, "requests": self.requests, "refused": self.refused}
        return told("ok", phrase("web", **counts))
