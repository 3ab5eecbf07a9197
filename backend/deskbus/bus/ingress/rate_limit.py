"""Rate limits of what an app publishes, over all of its connections."""

import time
from collections.abc import Callable, Sequence

from msgspec import Raw, UnsetType

from deskbus.bus.broker import Plain, Refuse
from deskbus.bus.ingress.client_publisher import ClientPublisher
from deskbus.bus.pending_requests import Settled
from deskbus.bus.route import Topic
from deskbus.reliability.token_bucket import TokenBucket
from deskbus_protocol.bus import PublishParams, RequestParams, RespondParams, SendParams, SendResult
from deskbus_protocol.errors import RATE_LIMITED, DeskbusError
from deskbus_protocol.manifest import Limits

HOLD_S = 0.05
"""How long an app that sends too much is not read from, so that a flood costs nobody else much."""

LEAST_CALLS_PER_S = 50
LEAST_CALL_BYTES = 64 * 1024
"""The least budget for calls of an app whose bytes alone are limited, so that it can open a
session.
"""

Hold = Callable[[float], None]


class AppRateLimit:
    """One app's budget. A large message may overdraw it; what is owed is waited for first."""

    def __init__(self, limits: Limits, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        now = monotonic_s()
        messages, kilobytes = limits.messages_per_s, limits.bus_kb_per_s
        self._messages = (
            None if isinstance(messages, UnsetType) else TokenBucket(messages, messages, now)
        )
        size = 0 if isinstance(kilobytes, UnsetType) else kilobytes * 1024
        self._bytes = TokenBucket(size, size, now) if size else None
        calls = (
            max(size // 1024, LEAST_CALLS_PER_S) if isinstance(messages, UnsetType) else messages
        )
        self._calls = TokenBucket(calls, calls, now) if self.is_limited else None
        burst = max(size, LEAST_CALL_BYTES)
        self._call_bytes = TokenBucket(size, burst, now) if size else None
        self._offered = (0, 0)
        self._offered_at = now
        self._refused = (False, False)

    @property
    def is_limited(self) -> bool:
        return self._messages is not None or self._bytes is not None

    def offer(self, count: int, size: int) -> bool:
        """Whether all of it is within the budget, and taken from it."""
        self._offered = (self._offered[0] + count, self._offered[1] + size)
        return self._take(count, size)

    def admits_call(self, size: int) -> bool:
        """Whether one more frame that is no message is within the budget, and taken from it.

        It is as large as that for messages, and apart from it: an app that says all it may is
        still heard to be alive. Where only bytes are limited, a call counts for a KiB.
        """
        now = self._monotonic_s()
        if self._call_bytes is not None and self._call_bytes.fill(now) <= 0:
            return False
        if self._calls is not None and not self._calls.take(1, now):
            return False
        if self._call_bytes is not None:
            self._call_bytes.spend(size, now)
        return True

    def take_one(self, size: int) -> bool:
        """As `take`, for one of several messages that were offered together."""
        return self._take(1, size)

    def excess_per_s(self) -> tuple[float, float]:
        """Messages and bytes a second since the last call, each 0 where none was refused for it."""
        now = self._monotonic_s()
        elapsed = max(now - self._offered_at, 0.001)
        (count, size), (over_count, over_size) = self._offered, self._refused
        self._offered, self._refused, self._offered_at = (0, 0), (False, False), now
        return (count / elapsed if over_count else 0.0, size / elapsed if over_size else 0.0)

    def _take(self, count: int, size: int) -> bool:
        now = self._monotonic_s()
        messages, data = self._messages, self._bytes
        if messages is not None and messages.fill(now) < count:
            self._refused = (True, self._refused[1])
            return False
        if data is not None and data.fill(now) <= 0:
            self._refused = (self._refused[0], True)
            return False
        if messages is not None:
            messages.spend(count, now)
        if data is not None:
            data.spend(size, now)
        return True


class RateLimits:
    """The limits of all apps that have any. `on_limited` hears of an app whose limits changed.

    An app without limits has no rate limit here, and its messages meet no code of this file.
    """

    def __init__(
        self,
        on_limited: Callable[[str], None],
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_limited = on_limited
        self._monotonic_s = monotonic_s
        self._rate_limits: dict[str, AppRateLimit] = {}

    def limit(self, app: str, limits: Limits) -> None:
        rate_limit = AppRateLimit(limits, self._monotonic_s)
        had = self._rate_limits.pop(app, None)
        if rate_limit.is_limited:
            self._rate_limits[app] = rate_limit
        if had or rate_limit.is_limited:
            self._on_limited(app)

    def of(self, app: str) -> AppRateLimit | None:
        return self._rate_limits.get(app)

    def excess_per_s(self, app: str) -> tuple[float, float]:
        rate_limit = self._rate_limits.get(app)
        return (0.0, 0.0) if rate_limit is None else rate_limit.excess_per_s()

    def check(self, app: str, size: int) -> None:
        """Checks a message that takes no publisher's path; raises `DeskbusError` (rate_limited)."""
        rate_limit = self._rate_limits.get(app)
        if rate_limit is not None and not rate_limit.offer(1, size):
            raise DeskbusError(RATE_LIMITED)


class RateLimitedPublisher:
    """A publisher behind a rate limit; what is beyond the budget is refused, not kept."""

    def __init__(self, publisher: ClientPublisher, rate_limit: AppRateLimit, hold: Hold) -> None:
        self._publisher = publisher
        self._rate_limit = rate_limit
        self._hold = hold
        self.check_durable = publisher.check_durable
        self.when_durable = publisher.when_durable
        self.acknowledge = publisher.acknowledge

    def publish_plain(self, messages: Sequence[Plain], refuse: Refuse) -> Topic | None:
        size = sum([len(message.payload) for message in messages])
        if self._rate_limit.offer(len(messages), size):
            return self._publisher.publish_plain(messages, refuse)
        allowed = []
        for message in messages:
            if self._rate_limit.take_one(len(message.payload)):
                allowed.append(message)
            else:
                refuse(DeskbusError(RATE_LIMITED), message.topic)
        if len(allowed) < len(messages):
            self._hold(HOLD_S)
        # The fate of the last message is asked for; if that was refused, it has its answer.
        routed = self._publisher.publish_plain(allowed, refuse) if allowed else None
        return routed if allowed and allowed[-1] is messages[-1] else None

    def publish(self, topic: str, payload: Raw, options: PublishParams) -> Topic:
        """Raises `DeskbusError`: rate_limited, or what the bus refuses."""
        self._check(len(payload))
        return self._publisher.publish(topic, payload, options)

    def send(self, params: SendParams) -> SendResult | None:
        """As the publisher's own; raises `DeskbusError` (rate_limited) too."""
        if not self._publisher.may_now(params):
            return None
        self._check(len(params.payload))
        return self._publisher.send(params)

    def request(self, params: RequestParams, settled: Settled) -> Callable[[], None] | None:
        """As the publisher's own; raises `DeskbusError` (rate_limited) too."""
        if not self._publisher.may_now(params):
            return None
        self._check(len(params.payload))
        return self._publisher.request(params, settled)

    def respond(self, params: RespondParams) -> None:
        """Raises `DeskbusError`: rate_limited, or what the bus refuses."""
        self._check(0 if isinstance(params.payload, UnsetType) else len(params.payload))
        self._publisher.respond(params)

    def _check(self, size: int) -> None:
        if not self._rate_limit.offer(1, size):
            self._hold(HOLD_S)
            raise DeskbusError(RATE_LIMITED)
