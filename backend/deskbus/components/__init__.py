"""Capabilities: each module puts several services together, and has one life."""
