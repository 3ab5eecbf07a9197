"""Proofs of single records."""

__all__ = ["proof_bundle"]
