"""The vault's keys and where they are kept."""

__all__ = ["kek_providers", "keychain", "keyset", "master_password", "safe_storage"]
