"""HTTP/1.1 on loopback: the sockets, their connections, and the user at the other end."""
