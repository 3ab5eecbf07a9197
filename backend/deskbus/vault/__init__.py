"""Keys and secrets: the only place, with the audit log, that touches cryptography and keyring."""
