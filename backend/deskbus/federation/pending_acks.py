"""Messages given to JetStream that it has not confirmed yet."""

import anyio
import msgspec
from msgspec import UNSET, UnsetType

from deskbus.federation.nats_port import NatsPortError


class _Error(msgspec.Struct):
    description: str = "it refused a message"


class _Answer(msgspec.Struct):
    error: _Error | UnsetType = UNSET


_answer = msgspec.json.Decoder(_Answer).decode


class PendingAcks:
    """Each message gets a number that its confirmation comes back with."""

    def __init__(self) -> None:
        self._last = 0
        self._open: set[int] = set()
        self._failure = ""
        self._settled = anyio.Event()

    def expect(self) -> int:
        self._last += 1
        self._open.add(self._last)
        return self._last

    def settle(self, number: str, answer: bytes) -> None:
        """Settles a publish; a missing answer means that JetStream is not available."""
        if not (number.isascii() and number.isdigit()) or int(number) not in self._open:
            return
        try:
            error = _answer(answer).error
            failure = "" if isinstance(error, UnsetType) else error.description
        except msgspec.MsgspecError:
            failure = "it is not available"
        self._open.discard(int(number))
        self._failure = self._failure or failure
        if not self._open or failure:
            self._settled.set()

    async def all(self, within_s: float) -> None:
        """Returns when everything is confirmed; raises `NatsPortError` where something was not."""
        try:
            with anyio.fail_after(within_s):
                while self._open and not self._failure:
                    self._settled = anyio.Event()
                    await self._settled.wait()
        except TimeoutError:
            self._failure = self._failure or "it does not answer"
        failure, self._failure = self._failure, ""
        if failure:
            self._open.clear()
            raise NatsPortError(failure)
