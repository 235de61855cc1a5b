"""A car on roads with lanes, obstacles and other traffic, seen from its own camera."""
