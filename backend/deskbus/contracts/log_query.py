"""LogQuery: which of the persisted messages a reader wants."""

from collections.abc import Callable, Mapping

import msgspec


class LogQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Ranges include their beginning and not their end; times are Unix milliseconds.

    `from_seq` counts within each topic, `from_seqs` within those that it names. `wants` is asked
    once for each topic, on another thread; without it every topic is wanted.
    """

    wants: Callable[[str], bool] | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    from_position: int = 0
    to_position: int | None = None
    from_seq: int = 0
    from_seqs: Mapping[str, int] = msgspec.field(default_factory=dict)
    limit: int | None = None
