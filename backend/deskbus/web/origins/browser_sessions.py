"""BrowserSessions: which browsers a person has let in, for which app.

Loopback TCP knows no user, and any process can forge Host, Origin and Sec-Fetch-Site. So a browser
has to show something that only this user could have given it: a one-time code, out of a file that
no other user can read, or a person's word in a dialog. It keeps a secret for it: pages of an app's
own site as a cookie, pages from elsewhere as a bearer token (RFC 6750). Only hashes are kept here.

A cookie goes to every port of its host (RFC 6265, section 8.5), so a program that listens on
another one can come by it. Beside the cookie a page therefore shows a *proof*, which it keeps in
storage that belongs to its origin, port and all.
"""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from deskbus.web.limits import (
    BROWSER_LIFE_S,
    CODE_LIFE_S,
    CSRF_LIFE_S,
    MAX_BROWSERS,
    MAX_CODES,
)
from deskbus_protocol.errors import OVERLOADED, DeskbusError

COOKIE = "deskbus-session"
SECRET_BYTES = 32
CLIENT_PREFIX = "tab-"


class Browser:
    """A browser that was let in for one app; `origin` is the one that its pages have."""

    def __init__(self, app: str, origin: str, key: bytes, proof: bytes, now_s: float) -> None:
        self.app = app
        self.origin = origin
        self.key = key
        self._proof = proof
        self.used_at_s = now_s
        self.began_at_s = now_s
        self.name = hashlib.sha256(b"name" + key).hexdigest()[:8]

    def is_proof(self, proof: str) -> bool:
        return hmac.compare_digest(_digest(proof), self._proof)

    def is_own_client(self, client: str) -> bool:
        """Whether a client of this name was this browser's."""
        return client.startswith(f"{CLIENT_PREFIX}{self.name}-")

    def new_client(self) -> str:
        return f"{CLIENT_PREFIX}{self.name}-{secrets.token_hex(4)}"


class BrowserAdmission(NamedTuple):
    """The keepsakes of a browser that is let in: the secret of its session, and the proof."""

    secret: str
    proof: str


class _Code(NamedTuple):
    app: str
    expires_at_s: float


class BrowserSessions:
    """Times are those of `monotonic_s`; after a restart of the backend nobody is let in."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._codes: dict[bytes, _Code] = {}
        self._browsers: OrderedDict[bytes, Browser] = OrderedDict()
        self._csrf_key = secrets.token_bytes(SECRET_BYTES)

    def new_code(self, app: str) -> str:
        """A code that lets one browser in, once; raises `DeskbusError` (overloaded)."""
        now_s = self._monotonic_s()
        self._codes = {key: code for key, code in self._codes.items() if code.expires_at_s > now_s}
        if len(self._codes) >= MAX_CODES:
            raise DeskbusError(OVERLOADED, "Too many pairing codes wait to be used.")
        code = secrets.token_urlsafe(SECRET_BYTES)
        self._codes[_digest(code)] = _Code(app, now_s + CODE_LIFE_S)
        return code

    def redeem(self, code: str, app: str, origin: str) -> BrowserAdmission | None:
        """A session for an unused code of this app. The code is spent in any case."""
        found = self._codes.pop(_digest(code), None)
        if found is None or found.app != app or found.expires_at_s <= self._monotonic_s():
            return None
        return self.let_in(app, origin)

    def let_in(self, app: str, origin: str) -> BrowserAdmission:
        """A new session."""
        secret, proof = secrets.token_urlsafe(SECRET_BYTES), secrets.token_urlsafe(SECRET_BYTES)
        key = _digest(secret)
        of_app = [each for each, browser in self._browsers.items() if browser.app == app]
        if len(of_app) >= MAX_BROWSERS:
            del self._browsers[of_app[0]]
        self._browsers[key] = Browser(app, origin, key, _digest(proof), self._monotonic_s())
        return BrowserAdmission(secret, proof)

    def find(self, secret: str, app: str, origin: str) -> Browser | None:
        """The browser that holds `secret`, if it was let in for this app and as this origin."""
        key = _digest(secret)
        browser = self._browsers.get(key)
        if browser is None or browser.app != app or browser.origin != origin:
            return None
        now_s = self._monotonic_s()
        if now_s - browser.began_at_s > BROWSER_LIFE_S:
            del self._browsers[key]
            return None
        browser.used_at_s = now_s
        self._browsers.move_to_end(key)
        return browser

    def forget(self, app: str) -> int:
        """Lets no browser of this app in any more; returns how many there were."""
        gone = [key for key, browser in self._browsers.items() if browser.app == app]
        for key in gone:
            del self._browsers[key]
        self._codes = {key: code for key, code in self._codes.items() if code.app != app}
        return len(gone)

    def count_of(self, app: str) -> int:
        return sum(browser.app == app for browser in self._browsers.values())

    def csrf_token(self, browser: Browser) -> str:
        """Proves that a page which read it is this browser's own; for `CSRF_LIFE_S`.

        Signed and bound to the session (OWASP's signed double submit, without the second cookie).
        """
        body = f"{int(self._monotonic_s())}.{secrets.token_urlsafe(8)}"
        return f"{body}.{self._signature(browser, body)}"

    def is_csrf_token(self, browser: Browser, token: str) -> bool:
        body, _, signature = token.rpartition(".")
        expected = self._signature(browser, body)
        if not hmac.compare_digest(signature.encode(), expected.encode()):
            return False
        return self._monotonic_s() - int(body.partition(".")[0]) <= CSRF_LIFE_S

    def _signature(self, browser: Browser, body: str) -> str:
        signed = b"%b.%b" % (browser.key, body.encode())
        return hmac.new(self._csrf_key, signed, hashlib.sha256).hexdigest()


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
