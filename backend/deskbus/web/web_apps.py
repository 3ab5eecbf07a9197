"""WebApps: the apps as browsers see them: sites, policies, frames, and who was let in."""

from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import quote

from deskbus.config import WebConfig
from deskbus.languages.catalogue import FALLBACK
from deskbus.web.limits import CODE_LIFE_S
from deskbus.web.origins.browser_sessions import BrowserSessions
from deskbus.web.origins.sites import Site, Sites
from deskbus.web.pages.security_headers import PagePolicy
from deskbus_protocol.control import CONTROL_APP
from deskbus_protocol.desktop import DESKTOP_APP
from deskbus_protocol.errors import NOT_FOUND, PERMISSION_DENIED, DeskbusError
from deskbus_protocol.manifest import Manifest, WebSpec, WindowSpec
from deskbus_protocol.ui import FrameDescriptor, SandboxToken
from deskbus_protocol.web import (
    NONCE_PLACEHOLDER,
    FrameCapability,
    PairBrowserResult,
    SiteInfo,
)

SANDBOX: dict[FrameCapability, SandboxToken] = {
    "scripts": "allow-scripts",
    "forms": "allow-forms",
    "popups": "allow-popups",
    "modals": "allow-modals",
    "downloads": "allow-downloads",
    "pointer-lock": "allow-pointer-lock",
}
DELEGATED: dict[FrameCapability, tuple[str, ...]] = {
    "camera": ("camera",),
    "microphone": ("microphone",),
    "geolocation": ("geolocation",),
    "display-capture": ("display-capture",),
    "clipboard-read": ("clipboard-read",),
    "clipboard-write": ("clipboard-write",),
    "fullscreen": ("fullscreen",),
    "autoplay": ("autoplay",),
    # Chromium has split the one in two; each version passes over the names that it does not know.
    "local-network": ("local-network-access", "local-network", "loopback-network"),
}

DESKTOP_FOLDER = Path(__file__).with_name("assets") / "desktop"
DESKTOP = Manifest(
    id=DESKTOP_APP,
    name="Desktop",
    publisher="deskbus",
    windows=[WindowSpec(url="index.html")],
    web=WebSpec(isolation="root"),
)
"""The desktop page: the gateway's own, on a site like any app's."""


CONTROL_FOLDER = DESKTOP_FOLDER.with_name("control")
CONTROL_PAGE = "control.html"
CONTROL = Manifest(
    id=CONTROL_APP,
    name="Control centre",
    publisher="deskbus",
    windows=[WindowSpec(url=f"{FALLBACK}/{CONTROL_PAGE}")],
)
"""The control centre's pages, a folder for each language."""

OWN_APPS = frozenset({DESKTOP_APP, CONTROL_APP})
"""Apps that are the gateway's own: nobody installs them, and their pages need no SDK."""


class WebApps:
    """Times are those of `monotonic_s`; `language` tells that of the control centre's pages."""

    def __init__(
        self,
        config: WebConfig,
        port: int,
        monotonic_s: Callable[[], float],
        language: Callable[[], str] = lambda: FALLBACK,
    ) -> None:
        self.sites = Sites(config, port)
        self.browsers = BrowserSessions(monotonic_s)
        self._language = language
        self._desktop_frames: Callable[[], Iterable[str]] = tuple
        self.sites.add(CONTROL, CONTROL_FOLDER)

    def show_desktop(self, frames: Callable[[], Iterable[str]]) -> None:
        """Serves the desktop page, in which pages of the origins that `frames` tells may stand."""
        self._desktop_frames = frames
        self.sites.add(DESKTOP, DESKTOP_FOLDER)

    def opened_origins(self) -> dict[str, str]:
        """Apps whose pages keep the desktop page as their opener, by their origins."""
        return {site.origin: site.app for site in self.sites if site.spec.isolation == "opened"}

    def address_of(self, app: str) -> str | None:
        """The address of such an app's first page; None for any other."""
        site = self.sites.of(app)
        if site is None or site.spec.isolation != "opened":
            return None
        return f"{site.origin}{site.home}"

    def declare(self, manifest: Manifest, folder: Path) -> None:
        self.sites.add(manifest, folder)

    def withdraw(self, app: str) -> None:
        """Removes an app that is gone or has changed; browsers have to be admitted anew."""
        self.sites.remove(app)
        self.browsers.forget(app)

    def home_of(self, site: Site) -> str:
        """The path of an app's first page; of the control centre, in the shell's language."""
        if site.app == CONTROL_APP:
            return f"/{self._language()}/{CONTROL_PAGE}"
        return site.home

    def sites_known(self) -> list[SiteInfo]:
        return [
            SiteInfo(
                app=site.app,
                url=f"{site.origin}{self.home_of(site)}",
                browsers=self.browsers.count_of(site.app),
            )
            for site in self.sites
        ]

    def pair(self, app: str) -> PairBrowserResult:
        """Raises `DeskbusError`: not_found, overloaded."""
        site = self._site(app)
        return PairBrowserResult(
            url=f"{site.origin}/pair",
            code=self.browsers.new_code(app),
            expires_in=int(CODE_LIFE_S * 1000),
        )

    def check_outside(self, app: str, origin: str) -> None:
        """Raises `DeskbusError` (not_found) for an origin that is not listed."""
        if origin not in self._site(app).outside:
            raise DeskbusError(
                NOT_FOUND,
                f"{app} has no page from {origin}.",
                action="List the origin in [[web.origins]], or in the manifest's web.origins.",
            )

    def policy_of(self, site: Site) -> PagePolicy:
        """The policy of an app's pages on its own site."""
        frames = [other.app for other in self.sites if site.app in other.spec.framed_by]
        framed = self.sites.origins_of(frames)
        if site.app == DESKTOP_APP:
            framed += self._desktop_frames()
        return PagePolicy(
            origin=site.origin,
            spec=site.spec,
            framed_by=tuple(self.sites.origins_of(site.spec.framed_by)),
            frames=tuple(framed),
        )

    def headers_for(self, app: str, origin: str) -> dict[str, str]:
        """The headers of pages that a shell serves itself; raises `DeskbusError` (not_found)."""
        policy = self.policy_of(self._site(app))._replace(origin=origin)
        return policy.headers(NONCE_PLACEHOLDER)

    def describe_frame(
        self, app: str, host: str, capabilities: list[FrameCapability]
    ) -> FrameDescriptor:
        """Raises `DeskbusError`: not_found; permission_denied where `app` lists no such host."""
        site = self._site(app)
        if host not in site.spec.framed_by:
            raise DeskbusError(
                PERMISSION_DENIED,
                f"{app} may not stand in a frame of {host}.",
                action="The embedded app's manifest lists its hosts in web.framed_by.",
            )
        wanted = sorted(set(capabilities))
        delegated = [name for each in wanted for name in DELEGATED.get(each, ())]
        return FrameDescriptor(
            app=app,
            title=site.name,
            url=f"{site.origin}{site.home}",
            origin=site.origin,
            sandbox=[SANDBOX[each] for each in wanted if each in SANDBOX],
            allow="; ".join(f"{quote(name)} 'src'" for name in delegated),
        )

    def _site(self, app: str) -> Site:
        site = self.sites.of(app)
        if site is None:
            words = f"{app} is no app with a page of its own."
            raise DeskbusError(NOT_FOUND, words, action="web.sites lists those that there are.")
        return site
