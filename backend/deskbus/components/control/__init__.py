"""The control centre: the whole as operators see it."""
