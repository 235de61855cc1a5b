"""The imagine node."""
