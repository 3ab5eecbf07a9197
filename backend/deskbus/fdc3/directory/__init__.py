"""App directory: records (AppD v2), and the lookup of apps and intents."""

__all__ = ["app_directory", "app_record", "icons", "sources"]
