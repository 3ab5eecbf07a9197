"""Standard output, standard error and what a person types."""
