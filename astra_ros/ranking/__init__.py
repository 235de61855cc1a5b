"""From frames and plans to scores."""
