"""What a client gets that comes back, or begins anew."""

__all__ = ["replay"]
