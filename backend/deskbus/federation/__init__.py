"""Federation: chosen topics of several machines, joined through NATS."""

__all__ = ["nats_connection", "nats_port", "service"]
