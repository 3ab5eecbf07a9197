"""One run of an app's process, from its start to its end."""
