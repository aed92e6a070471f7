"""Ablation: train without one part of the method and measure what the part contributes."""
