"""Links: byte streams to a peer, cut into frames, with bounded buffers both ways."""

__all__ = [
    "link",
    "outbox",
    "pipe",
    "pipe_state",
    "standard_descriptors",
    "stdio",
    "traffic",
    "unauthenticated",
    "unbuffered",
]
