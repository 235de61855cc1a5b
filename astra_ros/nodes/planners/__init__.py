"""Nodes that propose plans."""
