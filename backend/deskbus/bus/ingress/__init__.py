"""What clients and other machines publish, and how much of it they may."""

__all__ = ["client_publisher", "rate_limit"]
