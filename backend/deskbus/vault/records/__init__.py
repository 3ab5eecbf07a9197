"""The vault's sealed records on disk and in memory."""
