"""Rooms and corridors, explored by a rover or a drone."""
