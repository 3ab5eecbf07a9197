"""The running backend, as commands reach it."""
