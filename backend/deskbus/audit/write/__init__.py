"""Writing the audit log: the chain, its group commits, recovery."""
