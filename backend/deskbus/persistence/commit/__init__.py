"""Messages on their way to the disk."""
