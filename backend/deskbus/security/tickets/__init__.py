"""Tickets with which a client proves whose it is."""

__all__ = ["developer_ticket", "one_time_tickets", "resume_tokens"]
