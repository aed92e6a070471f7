"""Weights: those that ship, those that training wrote, and the authors' checkpoints."""
