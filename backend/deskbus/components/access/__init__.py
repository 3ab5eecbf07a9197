"""Access control, and the explanation of what an app may do."""
