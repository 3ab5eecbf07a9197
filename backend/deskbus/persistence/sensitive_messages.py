"""SensitiveMessages: those that are written encrypted only, and wait while the vault is locked."""

import asyncio
from collections.abc import Callable, Collection

import structlog

from deskbus.languages.health_words import english_words
from deskbus.persistence.batch_sealer import BatchSealer, WithoutVault
from deskbus.persistence.commit.durability import Waiter, call_all
from deskbus.persistence.commit.unsealed_batches import UnsealedBatches, named
from deskbus.persistence.log.batch import Messages
from deskbus.persistence.state import unsealed
from deskbus.storage.timers import Timers
from deskbus.storage.worker_thread import WorkerThread
from deskbus_protocol.errors import UNAVAILABLE, DeskbusError
from deskbus_protocol.health import Phrase

OPEN_AGAIN_S = (1.0, 2.0, 4.0, 8.0, 30.0)
"""Pauses before the vault is looked at again; an unlocking in this process is heard at once."""

ANSWER_WITHIN_S = 5.0
"""Nobody waits longer for the vault: perhaps a person is asked, and perhaps that person is away."""

log = structlog.get_logger()


class SensitiveMessages:
    """Holds back what can't be encrypted, keeps asking the vault, and lets it go when it can be.

    Without a sealer no message is sensitive. Every method is called in the event loop.
    """

    def __init__(
        self,
        sealer: BatchSealer | None,
        without_vault: WithoutVault,
        on_released: Callable[[list[Messages], list[Waiter]], None],
    ) -> None:
        """`on_released` gets the batches that can be written now, and those who wait for them."""
        self._sealer = sealer
        self._without_vault = without_vault
        self._on_released = on_released
        self.held = UnsealedBatches()
        self.refused = 0
        """Messages that were not taken."""
        self._waiters: list[Waiter] = []
        self._at_work = False
        self._opening = False
        self._seal_failed = False
        self._opened_in_vain = 0
        self._reported = ""

    def start(self, loop: asyncio.AbstractEventLoop, timers: Timers) -> None:
        self._loop, self._timers = loop, timers
        self._worker = WorkerThread("sealing")
        self._at_work = True
        if self._sealer is not None:
            self._worker.submit(self._sealer.look, self._looked_at)

    def suspend(self) -> None:
        """Stops asking the vault; answers that are still to come have no effect."""
        self._at_work = False

    def close(self) -> list[Waiter]:
        """Tells the log what is lost; returns those who still wait. The timers are the caller's."""
        self._at_work = False
        self._worker.stop()
        if self.held and self._sealer is not None:
            log.error(
                "persistence.sensitive_lost",
                messages=self.held.messages,
                topics=named(self.held.topics),
                detail=f"they could not be encrypted: {self._sealer.why}",
            )
        return self._waiters

    def covers(self, topic: str) -> bool:
        return self._sealer is not None and self._sealer.covers((topic,))

    def waits(self, topic: str) -> bool:
        """Whether messages of the topic wait to be encrypted."""
        return bool(self.held) and topic in self.held.topics

    def must_wait(self, topics: Collection[str]) -> bool:
        """Whether one of the topics is sensitive, and nothing can be encrypted now."""
        return self._sealer is not None and self._sealer.covers(topics) and not self.sealable()

    def sealable(self) -> bool:
        """Whether sensitive messages go the way of all others; releases those that wait."""
        if self._sealer is None:
            return True
        if self._seal_failed or self._sealer.readiness != "ready":
            return False
        self._opened_in_vain = 0
        batches = self.held.take()
        waiters, self._waiters = self._waiters, []
        if waiters:
            self._timers.cancel(self._unanswered)
        if batches or waiters:
            self._on_released(batches, waiters)
            self._tell()
        return True

    def admit(self, topic: str, *, remote: bool) -> None:
        """Raises `DeskbusError` (unavailable) where a message may not wait, or too many do.

        To be asked where nothing is `sealable`. Another machine's message may wait while the vault
        is locked: it is still to be had there if it is lost here.
        """
        if self._sealer is None:
            return
        self._open_again_later()
        readiness = self._sealer.readiness
        if self._without_vault == "refuse" and (
            readiness == "none" or (readiness == "locked" and not remote)
        ):
            self._refuse()
            raise self._encrypted_only(topic, self._sealer)
        if self.held.full:
            self._refuse()
            raise DeskbusError(
                UNAVAILABLE,
                f"Too many messages wait in memory to be encrypted, so none more on {topic}.",
                action="Unlock the vault, or give it a master password or a keychain; then they "
                "are written.",
            )

    def check_durable(self, topic: str) -> None:
        """Raises `DeskbusError` (unavailable) where a message could not be encrypted now."""
        if (
            self._sealer is not None
            and self.covers(topic)
            and not self.sealable()
            and self._sealer.readiness in ("locked", "none")
        ):
            self.refused += 1
            self._open_again_later()
            raise self._encrypted_only(topic, self._sealer)

    def hold(self, batch: Messages) -> None:
        self.held.add(batch)

    def ask_vault(self) -> None:
        """Opens the vault if nobody has needed it yet, else later."""
        if self._sealer is not None and self._sealer.readiness == "unopened":
            self._open_vault()
        else:
            self._open_again_later()

    def wait(self, waiter: Waiter) -> None:
        """Calls back False where the vault is locked, or does not answer in time."""
        if self._sealer is None or self._sealer.readiness in ("locked", "none"):
            self._loop.call_soon(waiter.callback, False)
            return
        self._waiters.append(waiter)
        if self._unanswered not in self._timers:
            self._timers.set(ANSWER_WITHIN_S, self._unanswered)

    def set_aside(self, batches: list[Messages], waiters: list[Waiter]) -> None:
        """The vault could not encrypt these: they wait until it can again."""
        for batch in batches:
            self.held.add(batch)
        self._seal_failed = True
        self._timers.set(OPEN_AGAIN_S[0], self._open_vault)
        for waiter in waiters:
            self.wait(waiter)
        self._tell()

    def vault_changed(self) -> None:
        """The vault was unlocked, or made: what waits for it is released."""
        if self._at_work and self._sealer is not None:
            self._seal_failed = False
            self._timers.cancel(self._open_vault)
            self.sealable()
            self._tell()

    @property
    def phrases(self) -> tuple[Phrase, ...]:
        """A description of the messages that wait or are refused, and why; none where none are."""
        sealer = self._sealer
        if sealer is None or (not self.held and sealer.readiness not in ("locked", "none")):
            return ()
        fate = unsealed(
            sealer.why,
            waiting=self.held.messages,
            topics=len(self.held.topics),
            refuse=self._without_vault == "refuse",
            refused=self.refused,
        )
        return tuple(fate)

    def _refuse(self) -> None:
        self.refused += 1
        self._tell()

    @staticmethod
    def _encrypted_only(topic: str, sealer: BatchSealer) -> DeskbusError:
        return DeskbusError(
            UNAVAILABLE,
            f"Messages on {topic} are written encrypted only, and {sealer.why}.",
            action="Unlock the vault, or give it a master password or a keychain; see "
            "deskbus vault status.",
        )

    def _unanswered(self) -> None:
        self._timers.cancel(self._unanswered)
        waiters, self._waiters = self._waiters, []
        call_all(waiters, ok=False)

    def _open_again_later(self) -> None:
        """Looks at the vault again after a while, unless that is to be anyway."""
        if self._at_work and not self._opening and self._open_vault not in self._timers:
            tries = min(self._opened_in_vain, len(OPEN_AGAIN_S) - 1)
            self._timers.set(OPEN_AGAIN_S[tries], self._open_vault)

    def _open_vault(self) -> None:
        self._timers.cancel(self._open_vault)
        if self._at_work and self._sealer is not None and not self._opening:
            self._opening = True
            self._worker.submit(self._sealer.open, self._opened)

    def _opened(self, outcome: BaseException | None) -> None:
        self._opening = self._seal_failed = False
        if not self._at_work or self.sealable():
            return
        self._opened_in_vain += 1
        self._unanswered()
        self._open_again_later()
        self._tell()

    def _looked_at(self, outcome: BaseException | None) -> None:
        if self._at_work:
            self._tell()

    def _tell(self) -> None:
        """Warns once of each reason, and tells when it is over."""
        words = english_words(*self.phrases)
        why = self._sealer.why if self._sealer is not None and words else ""
        if why == self._reported:
            return
        self._reported = why
        if why:
            log.warning("persistence.sensitive_topics", detail=words)
        else:
            log.info("persistence.sensitive_topics", detail="they are encrypted and written")
