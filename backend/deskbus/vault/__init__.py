"""Keys and secrets: the only place that touches keyring."""

__all__ = ["cipher", "keys", "per_app_store", "records", "service", "vault"]
