"""Apps: installed and removed, run as processes, traced."""
