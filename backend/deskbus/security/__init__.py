"""Who may do what: tickets, grants, decisions, and the questions put to a person."""
