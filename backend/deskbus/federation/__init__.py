"""Federation: chosen topics of several machines, joined through NATS."""
