"""Panels that the shell shows, and their content."""
