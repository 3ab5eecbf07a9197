"""Health, metrics, traces and alerts of the whole backend, and the archive for support."""
