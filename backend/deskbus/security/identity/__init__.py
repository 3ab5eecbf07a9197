"""An app's identity: its content and its publisher's signature."""

__all__ = ["code_identity", "content_hash", "signatures"]
