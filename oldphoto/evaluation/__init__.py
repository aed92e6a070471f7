"""Measuring restoration, and comparing our method with others."""
