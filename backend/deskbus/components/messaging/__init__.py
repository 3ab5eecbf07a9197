"""The bus and its log, topics that are sealed, and the bridge to other machines."""
