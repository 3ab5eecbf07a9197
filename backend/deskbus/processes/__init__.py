"""Apps as processes of the operating system: spawned, watched, and ended with their group."""
