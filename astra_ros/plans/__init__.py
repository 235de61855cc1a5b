"""Plans of every kind, and the action spaces that they are written in."""
