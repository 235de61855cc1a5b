"""Latents of camera frames, each frame encoded once."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from astra_ros.inference.engine import Engine
from astra_ros.world_model.rollout import Array, concatenated

KEPT = 32  # frames of which the latents are kept: some requests' histories, and a goal


class FrameLatents:
    """Encodes frames, and keeps the latents of the last ones.

    Consecutive requests share most of their history, and all requests share the goal image. Frames are told apart by
    all their bytes, so the same content is the same frame.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: OrderedDict[bytes, Array] = OrderedDict()  # the one used last at the end; latents [1, C, h, w]

    def __call__(self, frames: np.ndarray) -> Array:
        """uint8 [N, h, w, 3] -> latents [N, C, h, w], as `Engine.encode`; frames that are not known in one batch."""
        keys = [frame.tobytes() for frame in frames]
        unknown = {key: frame for key, frame in zip(keys, frames) if key not in self._kept}
        if unknown:
            latents = self._engine.encode(np.stack(list(unknown.values())))
            self._kept |= {key: latents[index : index + 1] for index, key in enumerate(unknown)}
        for key in keys:
            self._kept.move_to_end(key)
        made = concatenated([self._kept[key] for key in keys], 0)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return made
