"""Files that last, and who may write to them; the one place that knows what a platform has."""
