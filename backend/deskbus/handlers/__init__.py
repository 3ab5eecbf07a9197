"""One thin file a domain: decode, ask the service, answer."""
