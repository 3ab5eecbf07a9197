"""Pages of an app: their files, the headers and nonces that guard them, and what these refused."""
