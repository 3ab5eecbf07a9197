"""Texts for people: one catalogue a language, a file of data each."""
