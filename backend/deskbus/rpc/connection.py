"""The peer at the other end of a link, as the backend itself established it."""

from typing import Literal

import anyio

from deskbus.rpc.peer import Peer
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import SESSION_REQUIRED, DeskbusError
from deskbus_protocol.wire.rpc import encode

Role = Literal["shell", "app"]


class Connection:
    """A peer with its role and, once it has a session, its identity.

    The role is the link's: `shell` on the shell link, decided before the first frame. Identity is
    set once, by a ticket or by the shell's hello; nothing on the wire can change it.
    """

    def __init__(self, peer: Peer, *, shell_link: bool, only_app: str | None = None) -> None:
        self.peer = peer
        self.shell_link = shell_link
        self.only_app = only_app
        """The one app whose sessions may be opened here; None where it may be any app's."""
        self.role: Role | None = None
        self._identity: ClientId | None = None
        self.samples = False
        """Whether its client decides by itself what of its own is traced."""
        self.settled = anyio.Event()
        """Set once it has a session, or has ended without one."""

    @property
    def identity(self) -> ClientId:
        """Raises `DeskbusError` (session_required) before the session is open."""
        if self._identity is None:
            raise DeskbusError(SESSION_REQUIRED)
        return self._identity

    @property
    def has_session(self) -> bool:
        return self._identity is not None

    def become(self, role: Role, identity: ClientId) -> None:
        self.role = role
        self._identity = identity
        self.settled.set()


class Call:
    """One request in progress: its connection, and a way to report how far it is."""

    def __init__(self, connection: Connection, request_id: bytes) -> None:
        self.connection = connection
        self._request_id = request_id

    @property
    def identity(self) -> ClientId:
        return self.connection.identity

    def progress(self, text: str) -> None:
        """Sends `$/progress` for this request; a notification's progress goes nowhere."""
        if self._request_id:
            self.connection.peer.send(
                b'{"jsonrpc":"2.0","method":"$/progress","params":{"id":%b,"text":%b}}'
                % (self._request_id, encode(text))
            )
