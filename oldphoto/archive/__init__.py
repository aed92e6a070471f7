"""Restore an archive: many photos by several processes or machines, with a manifest of results."""
