"""Apps as processes of the operating system: spawned, watched, and ended with their group."""

__all__ = ["installed", "manager", "policy", "ports", "runtime", "spec", "system"]
