"""Training: the loop, its stages and players, and what it reads and tells."""
