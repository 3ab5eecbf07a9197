"""Named pipes: a Unix socket or a Windows pipe that this user alone can open."""

__all__ = ["pipe", "pipe_state"]
