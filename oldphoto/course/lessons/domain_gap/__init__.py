"""Figures and widgets of the chapter on domain gap."""
