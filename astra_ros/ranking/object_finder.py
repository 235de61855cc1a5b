"""Finds the object in a goal image, by the world model itself."""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np

from astra_ros.inference.conditioning import Conditioning
from astra_ros.inference.world_model import WorldModel
from astra_ros.outcomes import OBJECT_POSITION
from astra_ros.plans.action_spaces import ActionSpace

KEPT = 8  # images, each for one place of the robot, in which the object's place is kept
# Places of the robot are told apart in such steps of the network's numbers: a joint's spread in training is 1.
SAME_PLACE = 0.01


class ObjectFinder:
    """Where a world model sees the object in an image. It looks once for each of the last images.

    Outcomes belong to imagined frames. So the image is taken for the history of a scene that stands still, and its
    next frame is imagined. The robot is not rendered and is said to stand where it is now, its actions in units of
    `SAME_PLACE`. In the image it may stand elsewhere, which costs some centimetres: see docs/performance.md.
    """

    def __init__(self, model: WorldModel) -> None:
        self._model = model
        self._find = lru_cache(maxsize=KEPT)(partial(_object_in, model))

    def find(
        self, image: np.ndarray, space: ActionSpace, now: np.ndarray, seed: int, steps: int | None
    ) -> np.ndarray | None:
        """The object's place [3] m; None where the model or its engine does not tell.

        Args:
            image: uint8 [h, w, 3] RGB at the model's size.
            now: [D] where the robot is, a row of a plan's motion.
            seed: of the noise that is imagined from.
            steps: of the sampler; None takes the model's default.
        """
        if OBJECT_POSITION not in self._model.card.outcomes[space.name]:
            return None
        place = np.round(space.encode(np.stack([now, now])[None]) / SAME_PLACE).astype(int)
        return self._find(image.tobytes(), space.name, tuple(place.ravel().tolist()), seed, steps)


def _object_in(
    model: WorldModel, image: bytes, space: str, place: tuple[int, ...], seed: int, steps: int | None
) -> np.ndarray | None:
    card = model.card
    still = Conditioning(space, SAME_PLACE * np.array(place)[None, None])
    history = np.stack([np.frombuffer(image, np.uint8).reshape(*card.image_size, 3)] * card.history)
    places = model.imagine(history, still, seed=seed, steps=steps).outcomes.get(OBJECT_POSITION)
    return None if places is None else places[0, 0]
