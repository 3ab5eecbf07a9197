"""Tickets with which a client proves whose it is."""
