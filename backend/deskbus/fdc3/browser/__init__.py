"""Pages in a browser that take part in FDC3: who they are, and which window each is in."""

__all__ = ["hosted_instances", "page_identity"]
