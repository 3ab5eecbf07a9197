"""deskbus: the backend of an Electron shell in which many apps run side by side."""

__version__ = "0.1.0"
