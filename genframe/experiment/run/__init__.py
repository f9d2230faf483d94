"""A run: its folder, its checkpoints, how it is trained, resumed and opened."""
