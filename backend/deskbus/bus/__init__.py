"""Routing: who gets which message, in which order, and what is kept of it."""
