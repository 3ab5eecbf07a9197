"""Tickets by which a client proves its identity."""

__all__ = ["developer_ticket", "one_time_tickets", "resume_tokens"]
