"""Rooms and corridors, seen by a rover's camera or a free one."""
