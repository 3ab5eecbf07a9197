"""Links: byte streams to a peer, cut into frames, with bounded buffers both ways."""

__all__ = [
    "frame_encoding",
    "link",
    "named_pipes",
    "outbox",
    "standard_streams",
    "traffic",
    "unauthenticated",
    "unbuffered",
]
