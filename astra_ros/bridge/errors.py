"""The error of a message that cannot be converted."""


class BridgeError(ValueError):
    """A message cannot be used. The text names the topic, what was wrong, and what to do."""
