"""What moves robots without a world model: vehicle limits and controllers, maps, motion planners."""
