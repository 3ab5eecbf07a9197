"""Messages from clients and other machines, and their rate limits."""

__all__ = ["client_publisher", "rate_limit", "tracing_publisher"]
