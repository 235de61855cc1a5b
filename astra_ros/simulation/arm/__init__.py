"""An arm at a table with an object to push, an obstacle and a goal."""
