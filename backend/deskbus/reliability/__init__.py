"""How the backend judges its own state, and what it does when a part fails."""
