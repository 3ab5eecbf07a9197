"""Links: byte streams to a peer, cut into frames, with bounded buffers both ways."""
