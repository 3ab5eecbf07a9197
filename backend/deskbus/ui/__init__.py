"""What the shell is asked to draw: descriptors, and the questions that they carry."""
