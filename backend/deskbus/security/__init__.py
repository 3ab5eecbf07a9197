"""Access control: tickets, grants, decisions, and consent."""

__all__ = [
    "canonical_scope",
    "confined_files",
    "decisions",
    "identity",
    "model",
    "permission_checker",
    "permission_explainer",
    "permission_request",
    "permission_service",
    "policy",
    "service",
    "tickets",
]
