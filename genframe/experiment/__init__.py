"""Experiments: their data, training, checkpoints and runs."""
