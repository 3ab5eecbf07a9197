"""SecurityHeaders: what every response tells the browser to refuse.

https://www.w3.org/TR/CSP3/, https://w3c.github.io/trusted-types/, the HTML standard's sections on
COOP and COEP, and the Fetch standard's on CORP. The same policy is handed to a shell
(`web.policyFor`), which sets it on what Electron loads itself.
"""

import secrets
from collections.abc import Iterable
from typing import NamedTuple

from deskbus_protocol.manifest import Isolation, WebSpec
from deskbus_protocol.web import SHELL_REPORT_URL

REPORT_PATH = "/csp-report"
REPORT_GROUP = "deskbus"
OWN_TRUSTED_TYPES = "deskbus"
"""The policy of the SDK itself, with which it names its own worker."""

PERMISSIONS = (
    "accelerometer", "autoplay", "browsing-topics", "camera", "display-capture",
    "geolocation", "gyroscope", "hid", "idle-detection", "local-fonts", "magnetometer",
    "microphone", "midi", "payment", "publickey-credentials-get", "screen-wake-lock", "serial",
    "usb", "window-management", "xr-spatial-tracking",
)  # fmt: skip
"""Powers that no page has here, unless a frame's descriptor delegates one."""

COOP: dict[Isolation, str] = {
    "isolated": "same-origin",
    "root": "same-origin-allow-popups",
    "opened": "unsafe-none",
}
COEP: dict[Isolation, str] = {
    "isolated": "require-corp",
    "root": "unsafe-none",
    "opened": "unsafe-none",
}


class PagePolicy(NamedTuple):
    """The powers of the pages of one app. `origin` is where they are served from.

    `framed_by` and `frames` are the origins of the apps that may embed it, and of those that it
    may embed. `secure` says that they come over https.
    """

    origin: str
    spec: WebSpec
    framed_by: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    secure: bool = False

    def headers(self, nonce: str) -> dict[str, str]:
        """The headers of a page that lets scripts with this nonce run."""
        framing = {} if self.framed_by else {"x-frame-options": "DENY"}
        return {
            **BASE,
            **framing,
            "cache-control": "no-store",
            "content-security-policy": self.content_security_policy(nonce),
            "cross-origin-opener-policy": COOP[self.spec.isolation],
            "cross-origin-embedder-policy": COEP[self.spec.isolation],
            # A page in a frame of another site is a resource of that site's document.
            "cross-origin-resource-policy": "cross-origin" if self.framed_by else "same-origin",
            **self._reporting(),
        }

    def content_security_policy(self, nonce: str) -> str:
        """`nonce` may be a placeholder, for whoever makes one for each response."""
        socket = self.origin.replace("http", "ws", 1)
        trusted = _list([OWN_TRUSTED_TYPES, *self.spec.trusted_types])
        directives = [
            "default-src 'none'",
            f"script-src 'nonce-{nonce}' 'strict-dynamic'",
            "style-src 'self'",
            "img-src 'self' data: blob:",
            "font-src 'self'",
            "media-src 'self' blob:",
            f"connect-src 'self' {_list([socket, *self.spec.connect])}",
            "worker-src 'self'",
            "manifest-src 'self'",
            f"frame-src {_list(self.frames) or NONE}",
            f"frame-ancestors {_list(self.framed_by) or NONE}",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            f"trusted-types {trusted}",
            "require-trusted-types-for 'script'",
            # With report-to beside it Chromium sends neither over http.
            f"report-to {REPORT_GROUP}" if self.secure else f"report-uri {REPORT_PATH}",
        ]
        return "; ".join(directives)

    def _reporting(self) -> dict[str, str]:
        if not self.secure:
            return {}
        return {"reporting-endpoints": f'{REPORT_GROUP}="{self.origin}{REPORT_PATH}"'}


def file_headers(spec: WebSpec) -> dict[str, str]:
    """The headers of an app's pages where a shell loads them from the disk.

    A file is handed on as it is, so its scripts go by where they lie. The sites that the page may
    reach, and the powers that it may have, are left to the shell: it asks for each permission as
    the page needs it.
    """
    directives = [
        "default-src * data: blob:",
        f"script-src 'self' {_list(spec.scripts)}".rstrip(),
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        f"trusted-types {_list([OWN_TRUSTED_TYPES, *spec.trusted_types])}",
        "require-trusted-types-for 'script'",
        f"report-uri {SHELL_REPORT_URL}",
    ]
    return {
        "content-security-policy": "; ".join(directives),
        "cross-origin-opener-policy": COOP[spec.isolation],
        "referrer-policy": BASE["referrer-policy"],
        "x-content-type-options": BASE["x-content-type-options"],
    }


NONE = "'none'"

BASE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": ", ".join(f"{name}=()" for name in PERMISSIONS),
    "origin-agent-cluster": "?1",
    "x-dns-prefetch-control": "off",
}

EVERYWHERE = {
    **BASE,
    "x-frame-options": "DENY",
    "content-security-policy": (
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""Headers of everything but pages: nothing in it runs, nobody frames it, and nothing stores it."""


def new_nonce() -> str:
    """128 bits; never used twice."""
    return secrets.token_urlsafe(16)


def _list(sources: Iterable[str]) -> str:
    return " ".join(sources)
