"""WebSockets: frames, handshake, and the links of the bus over them."""
