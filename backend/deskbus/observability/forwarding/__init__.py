"""Audit records and alerts, on their way to a company's own systems."""
