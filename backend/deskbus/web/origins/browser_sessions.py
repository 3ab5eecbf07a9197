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
from weakref import WeakSet

from deskbus.contracts.listeners import Listeners
from deskbus.web.limits import (
    BROWSER_LIFE_S,
    CODE_LIFE_S,
    CONTROL_LIFE_S,
    CSRF_LIFE_S,
    MAX_BROWSERS,
    MAX_CODES,
)
from deskbus_protocol.control import CONTROL_APP
from deskbus_protocol.errors import OVERLOADED, DeskbusError

COOKIE = "deskbus-session"
SECRET_BYTES = 32
CLIENT_PREFIX = "tab-"
EXPIRED = "its time was over"
REVOKED = "a person ended it"


class Browser:
    """A browser that was let in for one app; `origin` is the one that its pages have."""

    def __init__(self, app: str, origin: str, key: bytes, proof: bytes, ends_at_s: float) -> None:
        self.app = app
        self.origin = origin
        self.key = key
        self._proof = proof
        self.ends_at_s = ends_at_s
        self.acts_until_s = 0.0
        """Of the control centre: how long it may act, and not only look."""
        self.name = hashlib.sha256(b"name" + key).hexdigest()[:8]

    def is_proof(self, proof: str) -> bool:
        return hmac.compare_digest(_digest(proof), self._proof)

    def is_own_client(self, client: str) -> bool:
        """Whether a client of this name was this browser's."""
        return client.startswith(f"{CLIENT_PREFIX}{self.name}-")

    def new_client(self) -> str:
        return f"{CLIENT_PREFIX}{self.name}-{secrets.token_hex(4)}"


class BrowserEnd(NamedTuple):
    """A browser that is not let in any more, and why."""

    browser: Browser
    reason: str


class BrowserAdmission(NamedTuple):
    """A browser, and its keepsakes: the secret of its session, and the proof."""

    secret: str
    proof: str
    browser: Browser


class _Code(NamedTuple):
    """`browser` is the one that may act by it; empty where it lets one in."""

    app: str
    browser: str
    expires_at_s: float


class BrowserSessions:
    """Times are those of `monotonic_s`; after a restart of the backend nobody is let in.

    `ended` tells of each browser whose time is over, which has to lose its links then.
    """

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self.ended = Listeners[BrowserEnd]()
        self._codes: dict[bytes, _Code] = {}
        self._browsers: OrderedDict[bytes, Browser] = OrderedDict()
        self._prepared = WeakSet[Browser]()
        self._csrf_key = secrets.token_bytes(SECRET_BYTES)

    def new_code(self, app: str) -> str:
        """A code that lets one browser in, once; raises `DeskbusError` (overloaded)."""
        code = secrets.token_urlsafe(SECRET_BYTES)
        self.keep_code(code, app)
        return code

    def keep_code(self, code: str, app: str, browser: str = "") -> None:
        """Makes `code` good once, for `CODE_LIFE_S`; raises `DeskbusError` (overloaded)."""
        now_s = self._monotonic_s()
        self._codes = {key: code for key, code in self._codes.items() if code.expires_at_s > now_s}
        if len(self._codes) >= MAX_CODES:
            raise DeskbusError(OVERLOADED, "Too many pairing codes wait to be used.")
        self._codes[_digest(code)] = _Code(app, browser, now_s + CODE_LIFE_S)

    def spend(self, code: str, app: str, browser: str = "") -> bool:
        """Whether the code was good for this. It is spent in any case."""
        found = self._codes.pop(_digest(code), None)
        if found is None or found.expires_at_s <= self._monotonic_s():
            return False
        return (found.app, found.browser) == (app, browser)

    def prepare(self, app: str, origin: str) -> BrowserAdmission:
        """Prepares a session, which is not valid before `admit`."""
        secret, proof = secrets.token_urlsafe(SECRET_BYTES), secrets.token_urlsafe(SECRET_BYTES)
        ends_at_s = self._monotonic_s() + life_s_of(app)
        browser = Browser(app, origin, _digest(secret), _digest(proof), ends_at_s)
        self._prepared.add(browser)
        return BrowserAdmission(secret, proof, browser)

    def admit(self, browser: Browser, life_s: float | None = None) -> bool:
        """Whether a prepared browser is let in: not if its app's were forgotten meanwhile.

        The one of its app that was unused longest gives way where there are too many. `life_s` is
        its time from now on, where that is not the usual one.
        """
        if browser not in self._prepared:
            return False
        self._prepared.discard(browser)
        if life_s is not None:
            browser.ends_at_s = self._monotonic_s() + life_s
        self.sweep()
        of_app = self.of_app(browser.app)
        if len(of_app) >= MAX_BROWSERS:
            self.end(of_app[0], "another browser took its place")
        self._browsers[browser.key] = browser
        return True

    def find(self, secret: str, app: str, origin: str) -> Browser | None:
        """The browser that holds `secret`, if it was let in for this app and as this origin."""
        key = _digest(secret)
        browser = self._browsers.get(key)
        if browser is None or browser.app != app or browser.origin != origin:
            return None
        if not self.is_in(browser):
            self.end(browser, EXPIRED)
            return None
        self._browsers.move_to_end(key)
        return browser

    def is_in(self, browser: Browser) -> bool:
        """Whether the browser is let in at this moment."""
        return browser.key in self._browsers and browser.ends_at_s > self._monotonic_s()

    def of_app(self, app: str) -> list[Browser]:
        """The app's sessions, the least recently used first."""
        return [browser for browser in self._browsers.values() if browser.app == app]

    def forget(self, app: str) -> int:
        """Lets no browser of this app in any more, nor one that was prepared before; returns how
        many there were.
        """
        self._codes = {key: code for key, code in self._codes.items() if code.app != app}
        for browser in [each for each in self._prepared if each.app == app]:
            self._prepared.discard(browser)
        gone = self.of_app(app)
        for browser in gone:
            self.end(browser, REVOKED)
        return len(gone)

    def sweep(self) -> None:
        """Ends the browsers whose time is over."""
        now_s = self._monotonic_s()
        for browser in [each for each in self._browsers.values() if each.ends_at_s <= now_s]:
            self.end(browser, EXPIRED)

    def close(self) -> None:
        """The backend ends, and all that was permitted with it."""
        self._codes.clear()
        self._prepared.clear()
        for browser in list(self._browsers.values()):
            self.end(browser, "the backend has ended")

    def end(self, browser: Browser, reason: str) -> None:
        """Lets the browser in no more; one that is not in stays so."""
        if self._browsers.pop(browser.key, None) is not None:
            self.ended(BrowserEnd(browser, reason))

    def count_of(self, app: str) -> int:
        return len(self.of_app(app))

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


def life_s_of(app: str) -> float:
    """Seconds for which a browser is let in for an app."""
    return CONTROL_LIFE_S if app == CONTROL_APP else BROWSER_LIFE_S


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
