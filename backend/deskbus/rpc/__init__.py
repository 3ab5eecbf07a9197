"""JSON-RPC 2.0 over a link: frames in, handlers called, answers out. Knows no method."""

__all__ = [
    "connection",
    "connection_table",
    "dispatch",
    "fair_turns",
    "fastpath",
    "heartbeat",
    "peer",
]
