"""The administrator's policy."""

__all__ = ["policy_file", "policy_service"]
