"""Figures and widgets of the notebooks, one folder per chapter."""
