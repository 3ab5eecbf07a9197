"""Catch-up of clients that reconnect or begin anew."""

__all__ = ["replay", "session_catchup"]
