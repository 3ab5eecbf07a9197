"""The protocols that the parts of the backend offer each other."""
