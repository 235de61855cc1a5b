"""The explorer node: it maps a house with a mobile base."""
