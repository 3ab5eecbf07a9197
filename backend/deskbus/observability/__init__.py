"""Logs, and later metrics and traces. Standard output is the wire: nothing here touches it."""
