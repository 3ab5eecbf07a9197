"""When Python's client takes a backend for gone."""

import anyio
import pytest
from msgspec import Raw

from deskbus_protocol.client import keepalive
from deskbus_protocol.errors import TIMEOUT, DeskbusError

pytestmark = pytest.mark.requirement("6.4")

LIMIT_S = 20


class Silent:
    """A connection on which the first `answers` pending_requests are answered."""

    def __init__(self, answers: int) -> None:
        self.closed = anyio.Event()
        self.heard_at = anyio.current_time()
        self.asked_at: list[float] = []
        self._answers = answers

    async def call(self, method: str, *, timeout_s: float) -> Raw:
        assert method == "session.ping"
        self.asked_at.append(anyio.current_time())
        if len(self.asked_at) <= self._answers:
            self.heard_at = anyio.current_time()
            return Raw(b"{}")
        await anyio.sleep(timeout_s)
        raise DeskbusError(TIMEOUT)

    async def aclose(self) -> None:
        self.closed.set()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keepalive, "INTERVAL_S", 0.02)
    monkeypatch.setattr(keepalive, "DEADLINE_S", 0.06)


async def test_a_silent_backend_is_asked_after_the_interval_and_given_up_at_the_deadline() -> None:
    silent = Silent(answers=2)
    with anyio.fail_after(LIMIT_S):
        await keepalive.keep_alive(silent)  # type: ignore[arg-type]
    assert len(silent.asked_at) == 3
    assert silent.closed.is_set()
    assert silent.asked_at[-1] - silent.heard_at >= 0.02
    assert anyio.current_time() - silent.heard_at >= 0.06


async def test_any_other_word_is_a_sign_of_life_though_the_answer_is_late() -> None:
    class Talks(Silent):
        async def call(self, method: str, *, timeout_s: float) -> Raw:
            if not self.asked_at:
                self.asked_at.append(anyio.current_time())
                self.heard_at = anyio.current_time()
                raise DeskbusError(TIMEOUT)
            self.closed.set()
            return await super().call(method, timeout_s=timeout_s)

    talks = Talks(answers=2)
    with anyio.fail_after(LIMIT_S):
        await keepalive.keep_alive(talks)  # type: ignore[arg-type]
    assert len(talks.asked_at) == 2


async def test_what_this_process_slept_through_is_asked_about_before_anything_is_given_up() -> None:
    silent = Silent(answers=1)
    silent.heard_at -= 3600
    with anyio.fail_after(LIMIT_S):
        await keepalive.keep_alive(silent)  # type: ignore[arg-type]
    assert len(silent.asked_at) == 2
