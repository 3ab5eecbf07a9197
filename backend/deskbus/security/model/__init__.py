"""What permissions, scopes and grants mean; pure."""

__all__ = ["effective_permissions", "grant_matching"]
