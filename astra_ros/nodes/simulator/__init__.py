"""The simulated robot as a node."""
