"""Asking a person for a permission."""
