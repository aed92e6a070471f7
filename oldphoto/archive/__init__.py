"""Restore an archive by several processes or machines, with a manifest of the results."""
