"""Routing: who gets which message, in which order, and what is kept of it."""

__all__ = ["broker", "ingress", "recovery", "route", "service", "traffic"]
