"""SecretFilter: keeps the vault's secrets out of the log, in whatever form a line has them."""

import base64
import re
import threading

import msgspec

HIDDEN = "[secret]"
MIN_CHARACTERS = 4
"""A shorter secret is a word of many lines, and no secret."""

MAX_SECRETS = 4096
"""The oldest are forgotten beyond; the vault passes few more in a run."""


class SecretFilter:
    """Knows the secrets that have passed through the vault since it was opened; for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, None] = {}
        self._pattern: re.Pattern[str] | None = None
        self._is_stale = False

    def learn(self, secret: str) -> None:
        if len(secret) < MIN_CHARACTERS or secret in self._known:
            return
        with self._lock:
            self._known[secret] = None
            if len(self._known) > MAX_SECRETS:
                del self._known[next(iter(self._known))]
            self._is_stale = True

    def forget(self) -> None:
        """Forgets all secrets, since the vault was locked."""
        with self._lock:
            self._known.clear()
            self._pattern, self._is_stale = None, False

    def clean(self, text: str) -> str:
        if self._is_stale:
            self._compile()
        return text if self._pattern is None else self._pattern.sub(HIDDEN, text)

    def _compile(self) -> None:
        with self._lock:
            found = {form for secret in self._known for form in forms(secret)}
            # The longest first, so that no part of one is left over.
            words = sorted(map(re.escape, found), key=len, reverse=True)
            self._pattern = re.compile("|".join(words)) if words else None
            self._is_stale = False


def forms(secret: str) -> set[str]:
    """The texts by which a secret may appear in a line: plain, escaped, in hex or base64."""
    raw = secret.encode()
    return {
        secret,
        repr(secret)[1:-1],
        repr(raw)[2:-1],
        msgspec.json.encode(secret).decode()[1:-1],
        secret.encode("ascii", "backslashreplace").decode(),
        raw.hex(),
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
    }
