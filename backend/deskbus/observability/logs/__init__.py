"""The log: its lines, levels, files and standard error, and the secrets that it must not hold."""
