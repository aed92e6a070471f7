"""Figures and widgets of the chapter on metrics."""
