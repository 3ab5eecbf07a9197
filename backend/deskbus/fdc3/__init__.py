"""The desktop agent of FDC3: instances, channels, intents, and the app directory."""

__all__ = ["agent", "browser", "dacp", "directory", "errors", "layout", "ports"]
