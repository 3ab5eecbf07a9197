"""Apps as processes of the operating system: spawned, watched, and ended with their group."""

__all__ = ["installed_apps", "manager", "policy", "ports", "runtime", "spec", "system"]
