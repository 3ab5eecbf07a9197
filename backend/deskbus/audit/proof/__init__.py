"""Proofs of single records."""
