"""Figures and widgets of the chapter on nonlocal block."""
