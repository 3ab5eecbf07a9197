"""The vault's sealed records on disk and in memory."""

__all__ = ["sealed_records", "vault_archive"]
