"""Descriptors of dialogs, panels and windows for the shell to draw."""

__all__ = [
    "choice_dialogs",
    "consent_dialogs",
    "crash_notices",
    "crash_pages",
    "layout_files",
    "pairing_dialogs",
    "panels",
    "renderer_processes",
    "shell",
    "utility_processes",
    "vault_notice",
    "windows",
]
