"""Measure restoration and compare this method with others."""
