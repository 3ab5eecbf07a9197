"""Apps as operating-system processes: spawned, watched and ended, with all that they spawned."""
