"""Build the three datasets: collect, clean, split and describe photos."""
