"""Figures and widgets of the chapter on datasets."""
