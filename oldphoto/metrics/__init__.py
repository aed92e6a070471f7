"""Metrics: how near a restored photo is to the clean one, and how real it looks."""
