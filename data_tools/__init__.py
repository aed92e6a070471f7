"""Build the three datasets of the course: collect, clean, split and describe photos."""
