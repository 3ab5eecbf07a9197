"""The shell link over standard input and output."""

__all__ = ["standard_descriptors", "stdio"]
