"""Weights that older versions of the network wrote, as today's takes them."""

from __future__ import annotations

from torch import Tensor


def as_of_today(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same network in the names of today; new weights are returned as they are.

    Once a style encoder added a vector to every frame's condition: a learned constant, unless a picture of another
    style was shown. The constant is added to what it went with, each action's condition and the one that means "no
    action is known"; the rest of the style encoder is left out.
    """
    weights = dict(weights)
    constant = weights.pop("style_encoder.as_observed", None)
    for name in [name for name in weights if name.startswith("style_encoder.")]:
        del weights[name]
    for name in ("action_encoder.mlp.3.bias", "action_encoder.no_action"):
        if constant is not None and name in weights:
            weights[name] = weights[name] + constant
    return weights
