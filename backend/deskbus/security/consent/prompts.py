"""Prompts: identical requests share one, one is open for an app, three in all, first come first."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import anyio
import structlog

from deskbus.reliability.background_tasks import BackgroundTasks
from deskbus.security.permission_request import PermissionRequest, Permit
from deskbus_protocol.errors import OVERLOADED, DeskbusError
from deskbus_protocol.events import PermissionDenied, PermissionGranted
from deskbus_protocol.permissions import Grant

MAX_OPEN_PROMPTS = 3
MAX_WAITING_OF_AN_APP = 16
"""Different requests; what comes after is refused, so that no app fills the queue."""

log = structlog.get_logger()


class PromptOutcome(NamedTuple):
    """The outcome of a prompt; without a permit, a denial.

    `decision` is what was recorded for the request that opened it, if anything was. `joined` is the
    prompt's id for a request that came later, of which nothing is recorded yet.
    """

    permit: Permit | None
    decision: PermissionGranted | PermissionDenied | None = None
    joined: str = ""


class _Prompt:
    """A prompt in progress and how many wait for it."""

    def __init__(self, request: PermissionRequest) -> None:
        self.request = request
        self.scope = anyio.CancelScope()
        self.decided = anyio.Event()
        self.outcome = PromptOutcome(None)
        self.once_is_taken = False
        self.waiting = 0


class Prompts:
    """`ask` puts a request to a person when its turn has come; whatever it raises means denied."""

    def __init__(self, ask: Callable[[PermissionRequest], Awaitable[PromptOutcome]]) -> None:
        self._ask = ask
        self._open: dict[tuple[str, Grant], _Prompt] = {}
        self._turns: dict[str, anyio.Lock] = {}
        self._slots = anyio.Semaphore(MAX_OPEN_PROMPTS)
        self._tasks = BackgroundTasks()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """At any other time every request is denied."""
        async with self._tasks.running():
            yield

    async def join(self, request: PermissionRequest) -> PromptOutcome:
        """Joins the prompt for the same request, or opens one; the last to leave closes it.

        A permission for once goes to the client that asked first, and to no other. Raises
        `DeskbusError` (overloaded).
        """
        if not self._tasks.running_now:
            return PromptOutcome(None)
        app = request.identity.app
        key = (app, request.grant)
        prompt, joined = self._open.get(key), ""
        if prompt is not None:
            joined = prompt.request.prompt
        else:
            if sum(known[0] == app for known in self._open) >= MAX_WAITING_OF_AN_APP:
                raise DeskbusError(OVERLOADED, "This app has too many prompts waiting already.")
            prompt = self._open[key] = _Prompt(request._replace(prompt=secrets.token_hex(8)))
            self._tasks.start(self._run, prompt)
        prompt.waiting += 1
        try:
            await prompt.decided.wait()
        finally:
            prompt.waiting -= 1
            if not prompt.waiting:
                # Another request from here on gets a prompt of its own.
                self._close(key, prompt)
                prompt.scope.cancel()
        permit = prompt.outcome.permit
        if permit is not None and permit.once:
            if prompt.once_is_taken or request.identity != permit.identity:
                permit = None
            else:
                prompt.once_is_taken = True
        elif permit is not None:
            permit = permit._replace(identity=request.identity)
        return prompt.outcome._replace(permit=permit, joined=joined)

    async def _run(self, prompt: _Prompt) -> None:
        app = prompt.request.identity.app
        turn = self._turns.setdefault(app, anyio.Lock())
        try:
            with prompt.scope:
                async with turn, self._slots:
                    prompt.outcome = await self._ask(prompt.request)
        except Exception:  # the outcome stays what it was made with: a denial
            log.exception("permission.prompt_failed", app=app)
        finally:
            self._close((app, prompt.request.grant), prompt)
            prompt.decided.set()

    def _close(self, key: tuple[str, Grant], prompt: _Prompt) -> None:
        if self._open.get(key) is prompt:
            del self._open[key]
        app = key[0]
        if not any(known[0] == app for known in self._open) and not self._busy(app):
            self._turns.pop(app, None)

    def _busy(self, app: str) -> bool:
        turn = self._turns.get(app)
        return turn is not None and turn.locked()
