"""Training: one loop for all stages, and what it keeps in a run folder."""
