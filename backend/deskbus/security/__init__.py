"""Who may do what: tickets, grants, decisions, and the questions put to a person."""

__all__ = [
    "canonical_scope",
    "confined_files",
    "decisions",
    "identity",
    "model",
    "permission_checker",
    "permission_request",
    "permission_service",
    "policy",
    "service",
    "tickets",
]
