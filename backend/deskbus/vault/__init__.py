"""Keys and secrets: the only place that touches keyring."""
