"""The desktop agent of FDC3: instances, channels, intents, and the app directory."""

__all__ = ["agent", "dacp", "directory", "errors", "overview", "ports"]
