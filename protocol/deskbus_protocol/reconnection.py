"""Heartbeat and reconnection: the figures that the backend and both SDKs share."""

HEARTBEAT_INTERVAL_MS = 10_000
"""A peer that was silent this long is asked for a sign of life."""

HEARTBEAT_DEADLINE_MS = 30_000
"""A peer that was silent this long is dead."""

SESSION_GRACE_MS = 30_000
"""The backend keeps a session this long after its connection was lost."""

FIRST_RETRY_MS = 250
"""The delay before the first attempt to reconnect; it doubles with each further one."""

LAST_RETRY_MS = 5_000
"""The longest delay between two attempts to reconnect."""

LEAVE_LIMIT_MS = 1_000
"""A client that closes waits this long for the answer to `session.leave`."""

LAST_WORDS_MS = 1_000
"""An app's process may outlive the backend this long, to tidy up."""

MAX_QUEUED_CALLS = 1_000
"""Calls and publishes that may wait for a connection."""

MAX_QUEUED_SIZE = 16 * 1024 * 1024
"""Size of the parameters that may wait for a connection: bytes in Python, characters in Node."""
