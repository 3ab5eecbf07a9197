"""JSON-RPC on the wire: framing, JSON as text, and the lines that are written."""
