"""The deskbus wire: message types, framing, errors and the method table. Pure, no I/O.

`deskbus_protocol.client` is the one module here that opens connections.
"""

PROTOCOL_VERSION = "1.0"
"""Major and minor. A peer of another major is refused; a newer minor only adds."""
