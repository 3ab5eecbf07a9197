"""The state of the desktop agent: instances, channels, deliveries. Pure."""
