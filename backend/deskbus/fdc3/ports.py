"""Ports of the desktop agent: the protocols that the rest of the backend fulfils."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from msgspec import Raw

from deskbus_protocol.envelope import ClientId
from deskbus_protocol.permissions import Grant


class ContextBus(Protocol):
    """The bus, on which contexts and the agent's own messages travel."""

    def open_inbox(self, identity: ClientId, inbox: str) -> None:
        """Has the client read its inbox; raises `DeskbusError` (session_required)."""

    def post(self, inbox: str, message: bytes) -> None:
        """Sends a message of the agent's."""

    def publish(self, sender: ClientId, topic: str, context: Raw, trace_id: str, more: Raw) -> None:
        """Publishes a context in the name of its sender; `more` is metadata of its own, as JSON.

        The agent gets it, as everybody who reads there does, before this returns. Raises
        `DeskbusError`: permission_denied, session_required, unavailable.
        """

    def forget(self, topic: str) -> None:
        """Drops a topic's history: nobody reads or writes there any more."""


class Access(Protocol):
    """Permissions, as of now."""

    def may(self, identity: ClientId, wanted: Grant) -> bool:
        """Whether it is granted, for all of its scope."""

    def may_part(self, identity: ClientId, wanted: Grant) -> bool:
        """Whether anything within its scope is granted."""

    def can_have(self, identity: ClientId, permission: str) -> bool:
        """Whether there is any scope at all that the client has or may ask for."""

    async def ask(self, identity: ClientId, wanted: Grant) -> bool:
        """Whether it is granted after a person was asked, if need be."""


class Launcher(Protocol):
    """Opens instances of apps."""

    def has(self, app: str) -> bool:
        """Whether there is such an app to open."""

    async def close(self, identity: ClientId) -> bool:
        """Closes the client's window; False where it has none."""

    async def open(self, app: str, on_client: Callable[[ClientId], None], opener: ClientId) -> None:
        """Opens it where the opener is: returns when its window is there, or its process runs.

        `on_client` is told its client before anything of it runs. Raises `DeskbusError`.
        """


class Candidate(NamedTuple):
    """One way to resolve an intent: a new instance of an app, or one that runs."""

    intent: str
    app_id: str
    instance_id: str | None = None


class Chooser(Protocol):
    """A person who chooses among candidates."""

    async def choose(
        self, asker: ClientId, candidates: Sequence[Candidate], context_type: str
    ) -> Candidate | None:
        """Returns the choice; None where the person declined.

        Raises `DacpError` (ResolverUnavailable, ResolverTimeout).
        """
