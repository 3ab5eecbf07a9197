"""BrowserDesktops: the FDC3 agent's pages in a browser, their windows, and their choices."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import anyio
from msgspec import UNSET, UnsetType

from deskbus.fdc3.agent import AgentCore
from deskbus.fdc3.browser.hosted_instances import Hosted, HostedInstances, Launch
from deskbus.fdc3.browser.page_identity import is_consistent, origin_of, record_of_page
from deskbus.fdc3.directory.app_directory import own_id
from deskbus.fdc3.directory.app_record import AppRecord
from deskbus.fdc3.directory.icons import Icons
from deskbus.storage.awake_clock import happens_within
from deskbus_protocol.desktop import (
    DESKTOP_APP,
    AdmitParams,
    AdmitResult,
    AppRefusedParams,
    BeginDesktopResult,
    CloseDesktopChoiceParams,
    ClosedParams,
    DesktopChannel,
    DesktopEntry,
    HostedParams,
    OpenAppWindowParams,
    OpenedParams,
    ShowDesktopChoiceParams,
)
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import (
    NOT_FOUND,
    OVERLOADED,
    PERMISSION_DENIED,
    TIMEOUT,
    UNAVAILABLE,
    DeskbusError,
)
from deskbus_protocol.ui import ChoiceAnswer, ChoiceDialog
from deskbus_protocol.wording.display import visible

OPEN_WITHIN_S = 10.0
"""How long a desktop page has to open a window."""

ARRIVE_WITHIN_S = 5.0
"""How long an app's page has to find the agent before the app counts as open without it."""

MAX_ENTRIES = 1_000
TITLE_CHARACTERS = 200


class ClientPort(Protocol):
    """Clients of the bus, as far as desktop pages need them."""

    def notify(self, app: str, client: str, method: str, params: object) -> bool:
        """Notifies a client; returns False where it is not connected."""

    def mint(self, identity: ClientId) -> str:
        """A one-time ticket."""


class PagePort(Protocol):
    """Apps that the web gateway serves itself."""

    def opened_origins(self) -> dict[str, str]:
        """The apps whose pages the desktop page may open, by their origins."""

    def address_of(self, app: str) -> str | None:
        """The address of the app's first page; None where the desktop page can't open it."""


class BrowserDesktops:
    """Raises `DeskbusError` (permission_denied) to everybody who is no desktop page."""

    def __init__(
        self,
        agent: Callable[[], AgentCore],
        clients: ClientPort,
        pages: PagePort | None,
        icons: Icons,
    ) -> None:
        self._agent = agent
        self._icons = icons
        self._clients = clients
        self._pages = pages
        self._instances = HostedInstances(secrets.token_bytes(32))
        self._choices: dict[str, _OpenChoice] = {}
        self._arriving: dict[ClientId, anyio.Event] = {}

    def began(self, identity: ClientId) -> None:
        """Notes that a client has joined FDC3, or never will."""
        arrived = self._arriving.get(identity)
        if arrived is not None:
            arrived.set()

    def refused(self, identity: ClientId, words: str) -> None:
        """An app's page was refused something, and nobody could be asked."""
        desktop = self._instances.desktop_of(identity)
        instance = self._agent().instances.of(identity)
        if desktop is not None and instance is not None:
            told = AppRefusedParams(instance_id=instance.id, words=words)
            self._tell(desktop, "desktop.refused", told)

    def may_join(self, only_app: str, identity: ClientId) -> bool:
        """Whether a client of another app may have its session on this app's socket."""
        return only_app == DESKTOP_APP and self._instances.desktop_of(identity) is not None

    async def begin(self, desktop: ClientId) -> BeginDesktopResult:
        _check(desktop)
        agent = self._agent()
        self._instances.begin(desktop)
        icons = await self._icons.of(agent.directory)
        return BeginDesktopResult(
            apps=list(self._entries(agent, icons))[:MAX_ENTRIES],
            channels=[
                DesktopChannel(
                    id=channel.id,
                    name=channel.display.get("name", channel.id),
                    color=channel.display.get("color", ""),
                )
                for channel in agent.channels.user_channels()
            ],
            version=agent.version,
        )

    def frame_origins(self) -> list[str]:
        """The origins that a desktop page may have in its frames."""
        urls = (self._url_of(record) for record in self._agent().directory)
        return sorted({origin for url in urls if url and (origin := origin_of(url))})

    def admit(self, desktop: ClientId, params: AdmitParams) -> AdmitResult:
        """Raises `DeskbusError`: not_found where no app has such a page, overloaded."""
        _check(desktop)
        agent = self._agent()
        if not is_consistent(params.origin, params.identity_url, params.actual_url):
            raise DeskbusError(PERMISSION_DENIED, "The page's addresses are of another origin.")
        record = self._record_of(agent, params.origin, params.identity_url)
        if record is None:
            raise DeskbusError(
                NOT_FOUND,
                "No app of the directory has a page at this address.",
                action="Its record's details.url has to be of this origin, and fit the page.",
            )
        app = own_id(record)
        hosted = self._known(desktop, app, params) or self._new(agent, desktop, app, params)
        return AdmitResult(
            app_id=record.app_id,
            app=app,
            client=hosted.identity.client,
            instance_id=hosted.instance_id,
            instance_uuid=self._instances.secret_of(hosted.instance_id),
        )

    def ticket(self, desktop: ClientId, params: HostedParams) -> str:
        return self._clients.mint(self._hosted(desktop, params.instance_id).identity)

    def opened(self, desktop: ClientId, params: OpenedParams) -> None:
        _check(desktop)
        launch = self._instances.launch_of(desktop, params.launch)
        if launch is not None:
            launch.settle(params.opened)

    def closed(self, desktop: ClientId, params: ClosedParams) -> None:
        _check(desktop)
        if not isinstance(params.launch, UnsetType):
            launch = self._instances.launch_of(desktop, params.launch)
            if launch is not None:
                self._give_up(params.launch, launch)
        if not isinstance(params.instance_id, UnsetType):
            hosted = self._instances.of(desktop, params.instance_id)
            if hosted is not None:
                self.began(hosted.identity)
                self._agent().client_ended(hosted.identity)
                self.client_ended(hosted.identity)

    def client_ended(self, identity: ClientId) -> None:
        """The client won't come back; the pages that a desktop page hosted end with it."""
        for orphan in self._instances.client_ended(identity):
            self._agent().client_ended(orphan)

    def instance(self, desktop: ClientId, params: HostedParams) -> ClientId:
        return self._hosted(desktop, params.instance_id).identity

    # The agent's side.

    def place_for(self, app: str, opener: ClientId, *, has_shell: bool) -> ClientId | None:
        """The desktop page that opens the app: the opener's, or any where there is no shell."""
        desktop = self._instances.desktop_of(opener)
        if desktop is None and not has_shell:
            desktop = self._instances.newest_desktop
        return desktop if desktop is not None and self.address_of(app) else None

    def address_of(self, app: str) -> str | None:
        agent = self._agent()
        record = agent.directory.record(agent.directory.app_id_of(app))
        return None if record is None else self._url_of(record)

    async def open(
        self, desktop: ClientId, app: str, on_client: Callable[[ClientId], None]
    ) -> None:
        """Returns when its page has found the agent, or takes too long for it.

        Raises `DeskbusError`: unavailable where no window opens in time, overloaded.
        """
        agent = self._agent()
        record = agent.directory.record(agent.directory.app_id_of(app))
        url = None if record is None else self._url_of(record)
        if record is None or url is None:
            raise DeskbusError(NOT_FOUND, f"{app} has no page for a browser.")
        if self._instances.is_full:
            raise DeskbusError(OVERLOADED, "Too many windows of apps are open in browsers.")
        name, answered = secrets.token_hex(16), anyio.Event()
        outcome: list[bool] = []

        def settle(opened: bool) -> None:
            outcome.append(opened)
            answered.set()

        launch = Launch(desktop, ClientId(app, _new_client()), settle)
        self._instances.launching(name, launch)
        on_client(launch.identity)
        wanted = OpenAppWindowParams(
            launch=name, app_id=record.app_id, title=_title(record), url=url
        )
        arrived = self._arriving[launch.identity] = anyio.Event()
        try:
            sent = self._tell(desktop, "desktop.openWindow", wanted)
            if sent and await happens_within(answered, OPEN_WITHIN_S) and outcome[0]:
                await happens_within(arrived, ARRIVE_WITHIN_S)
                return
        finally:
            del self._arriving[launch.identity]
        self._give_up(name, launch)
        raise DeskbusError(
            UNAVAILABLE,
            f"No window of {app} could be opened.",
            action="Look at the desktop page: the browser may keep windows from being opened.",
        )

    def close(self, identity: ClientId) -> bool:
        """Closes the window of a client; False where it is in no desktop page."""
        desktop = self._instances.desktop_of(identity)
        instance = self._agent().instances.of(identity)
        if desktop is None or instance is None:
            return False
        return self._tell(desktop, "desktop.closeWindow", HostedParams(instance_id=instance.id))

    def screen_of(self, identity: ClientId) -> "DesktopScreen | None":
        """The place where a person who uses this client sees a choice; None for the shell."""
        desktop = self._instances.desktop_of(identity)
        return None if desktop is None else DesktopScreen(self, desktop)

    def answer(self, desktop: ClientId, answer: ChoiceAnswer) -> None:
        """Raises `DeskbusError` (not_found) where nobody waits for it."""
        _check(desktop)
        waiting = self._choices.get(answer.dialog)
        if waiting is None or waiting.desktop != desktop:
            raise DeskbusError(NOT_FOUND, "This choice is not open any more.")
        waiting.answer = answer
        waiting.answered.set()

    async def show(
        self, desktop: ClientId, descriptor: ChoiceDialog, timeout_s: float
    ) -> ChoiceAnswer:
        """Raises `DeskbusError`: unavailable, timeout."""
        waiting = self._choices[descriptor.dialog] = _OpenChoice(desktop)
        try:
            shown = ShowDesktopChoiceParams(descriptor=descriptor)
            if not self._tell(desktop, "desktop.showChoice", shown):
                raise DeskbusError(UNAVAILABLE, "The desktop page is not connected.")
            if not await happens_within(waiting.answered, timeout_s) or waiting.answer is None:
                raise DeskbusError(TIMEOUT)
            return waiting.answer
        finally:
            del self._choices[descriptor.dialog]

    def take_away(self, desktop: ClientId, dialog: str) -> None:
        self._tell(desktop, "desktop.closeChoice", CloseDesktopChoiceParams(dialog=dialog))

    def _tell(self, desktop: ClientId, method: str, params: object) -> bool:
        return self._clients.notify(desktop.app, desktop.client, method, params)

    def _give_up(self, name: str, launch: Launch) -> None:
        self._instances.launched(name)
        launch.settle(False)
        self.began(launch.identity)
        self._agent().client_ended(launch.identity)

    def _known(self, desktop: ClientId, app: str, params: AdmitParams) -> Hosted | None:
        """The instance that this window had before, where it proves that."""
        given, proof = params.instance_id, params.instance_uuid
        if isinstance(given, UnsetType) or isinstance(proof, UnsetType):
            return None
        hosted = self._instances.of(desktop, given)
        proven = hosted is not None and self._instances.is_secret(given, proof)
        return hosted if hosted is not None and proven and hosted.identity.app == app else None

    def _new(self, agent: AgentCore, desktop: ClientId, app: str, params: AdmitParams) -> Hosted:
        launch = None
        if not isinstance(params.launch, UnsetType):
            launch = self._instances.launch_of(desktop, params.launch)
        if launch is not None and not isinstance(params.launch, UnsetType):
            if launch.identity.app == app:
                self._instances.launched(params.launch)
            else:
                # The window went to another app's page before it spoke.
                self._give_up(params.launch, launch)
                launch = None
        if launch is None and self._instances.is_full:
            raise DeskbusError(OVERLOADED, "Too many windows of apps are open in browsers.")
        identity = ClientId(app, _new_client()) if launch is None else launch.identity
        hosted = Hosted(desktop, identity, agent.expect(identity).id)
        self._instances.host(hosted)
        return hosted

    def _record_of(self, agent: AgentCore, origin: str, url: str) -> AppRecord | None:
        ours = {} if self._pages is None else self._pages.opened_origins()
        if origin in ours:
            return agent.directory.record(agent.directory.app_id_of(ours[origin]))
        return record_of_page(agent.directory, url)

    def _url_of(self, record: AppRecord) -> str | None:
        url = record.details.url
        if not isinstance(url, UnsetType) and origin_of(url):
            return url
        return None if self._pages is None else self._pages.address_of(own_id(record))

    def _entries(self, agent: AgentCore, icons: Mapping[str, str]) -> Iterator[DesktopEntry]:
        for record in agent.directory:
            url = self._url_of(record)
            if url is not None:
                words = record.description
                yield DesktopEntry(
                    app_id=record.app_id,
                    title=_title(record),
                    url=url,
                    description="" if isinstance(words, UnsetType) else visible(words)[:1000],
                    icon=icons.get(record.app_id, UNSET),
                )

    def _hosted(self, desktop: ClientId, instance_id: str) -> Hosted:
        """Raises `DeskbusError`: permission_denied, not_found."""
        _check(desktop)
        found = self._instances.of(desktop, instance_id)
        if found is None:
            raise DeskbusError(NOT_FOUND, "This desktop page has no such instance.")
        return found


class DesktopScreen:
    """A desktop page as the place of a choice: `ChoiceScreen`."""

    def __init__(self, desktops: BrowserDesktops, desktop: ClientId) -> None:
        self._desktops = desktops
        self._desktop = desktop

    async def show(self, descriptor: ChoiceDialog, timeout_s: float) -> ChoiceAnswer:
        return await self._desktops.show(self._desktop, descriptor, timeout_s)

    def close(self, dialog: str) -> None:
        self._desktops.take_away(self._desktop, dialog)


class _OpenChoice:
    def __init__(self, desktop: ClientId) -> None:
        self.desktop = desktop
        self.answered = anyio.Event()
        self.answer: ChoiceAnswer | None = None


def _check(desktop: ClientId) -> None:
    """Raises `DeskbusError` (permission_denied)."""
    if desktop.app != DESKTOP_APP:
        raise DeskbusError(PERMISSION_DENIED, "Only the desktop page does this.")


def _new_client() -> str:
    return f"page-{secrets.token_hex(8)}"


def _title(record: AppRecord) -> str:
    title = record.title if isinstance(record.title, str) and record.title else record.name
    return visible(title or record.app_id)[:TITLE_CHARACTERS]
