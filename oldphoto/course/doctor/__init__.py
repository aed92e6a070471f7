"""Checks whether a machine is ready for the course."""
