"""See it before you move: imagined video and scores for a robot's candidate plans."""
