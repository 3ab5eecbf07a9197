"""What the shell is asked to draw: descriptors, and the questions that they carry."""

__all__ = [
    "consent_dialogs",
    "crash_notices",
    "crash_pages",
    "panels",
    "renderer_processes",
    "shell",
    "utility_processes",
    "vault_notice",
    "windows",
]
