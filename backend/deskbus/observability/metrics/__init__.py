"""Figures for monitoring: counted where things happen, gathered when somebody asks."""
