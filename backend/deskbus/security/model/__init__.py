"""The meaning of permissions, scopes and grants; pure."""

__all__ = ["effective_permissions", "grant_matching", "scope_grammar"]
