"""Dead letters: messages that could not be delivered, kept with the reason."""

from collections import Counter, deque
from collections.abc import Callable, Iterable

import msgspec

from deskbus.bus.encoded_message import envelope
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.history import DeadLetter, DeadLetterReason

MAX_LETTERS = 1000
MAX_BYTES = 64 * 1024 * 1024


class Letter(msgspec.Struct, frozen=True, order=True, gc=False):
    """`addressee` is the client that the message was meant for."""

    number: int
    reason: DeadLetterReason
    addressee: ClientId
    line: bytes
    topic: str
    seq: int
    attempts: int
    died_at: int


class DeadLetterQueue:
    """The newest letters, bounded in number and bytes; the oldest give way."""

    def __init__(self, clock_ms: Callable[[], int]) -> None:
        self._clock_ms = clock_ms
        self._letters: deque[Letter] = deque()
        self._bytes = 0
        self._numbers = 0
        self.counts: Counter[DeadLetterReason] = Counter()

    def __len__(self) -> int:
        return len(self._letters)

    @property
    def full(self) -> bool:
        """Whether the next letter may push out the oldest."""
        return len(self._letters) >= MAX_LETTERS or self._bytes >= MAX_BYTES

    def add(
        self,
        reason: DeadLetterReason,
        addressee: ClientId,
        line: bytes,
        topic: str,
        seq: int,
        attempts: int = 0,
    ) -> None:
        self._numbers += 1
        self.counts[reason] += 1
        died_at = self._clock_ms()
        self._letters.append(
            Letter(self._numbers, reason, addressee, line, topic, seq, attempts, died_at)
        )
        self._bytes += len(line)
        while len(self._letters) > MAX_LETTERS or self._bytes > MAX_BYTES:
            self._bytes -= len(self._letters.popleft().line)

    def count(self, reason: DeadLetterReason, letters: int) -> None:
        """Counts dead messages that are followed by too many others to be kept themselves."""
        self._numbers += letters
        self.counts[reason] += letters

    def newest(self, limit: int, reason: DeadLetterReason | None = None) -> list[DeadLetter]:
        found = (letter for letter in reversed(self._letters) if reason in (None, letter.reason))
        return [
            DeadLetter(
                number=letter.number,
                reason=letter.reason,
                app=letter.addressee.app,
                client=letter.addressee.client,
                attempts=letter.attempts,
                died_at=letter.died_at,
                message=envelope(letter.line),
            )
            for letter, _ in zip(found, range(limit), strict=False)
        ]

    def take(self, numbers: Iterable[int] | None) -> list[Letter]:
        """Removes and returns letters, oldest first; without `numbers` all of them."""
        wanted = None if numbers is None else set(numbers)
        taken = [letter for letter in self._letters if wanted is None or letter.number in wanted]
        gone = {letter.number for letter in taken}
        self._letters = deque(letter for letter in self._letters if letter.number not in gone)
        self._bytes = sum(len(letter.line) for letter in self._letters)
        return taken

    def put_back(self, letters: list[Letter]) -> None:
        """Returns letters to the queue whose redelivery failed."""
        self._letters = deque(sorted([*self._letters, *letters]))
        self._bytes += sum(len(letter.line) for letter in letters)
