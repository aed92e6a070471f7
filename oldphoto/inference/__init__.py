"""Restoring photos with trained networks: one photo, a folder, in tiles, with masks."""
