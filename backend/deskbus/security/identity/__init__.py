"""What an app is: its content and its publisher's signature."""

__all__ = ["app_identity", "content_hash", "signatures"]
