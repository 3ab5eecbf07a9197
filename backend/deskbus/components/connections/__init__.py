"""Connections: accepted, opened as sessions, from pipes and from browsers."""
