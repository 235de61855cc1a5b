"""How a model is trained, and exported."""
