"""Traces: who did what for one message or call, and how long each step took."""
