"""Reports and exports for people."""
