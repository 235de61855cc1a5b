"""The gate node: a planner's plan passes only if the imagine node accepts it."""
