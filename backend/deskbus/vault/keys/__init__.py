"""The vault's keys and where they are kept."""
