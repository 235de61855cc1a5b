"""The noise of a request, drawn once from its seed, in numpy: every engine and every device starts from the same.

The numbers are those of `torch.randn` with `torch.Generator("cpu")`, to float32 rounding, so that futures that were
imagined with torch's own noise stay as they were.
"""

from __future__ import annotations

import numpy as np

from astra_ros.world_model.rollout import Noise

BLOCK = 16  # numbers that torch's CPU kernel makes of as many uniform ones: 8 radii, 8 angles


class NormalGenerator:
    """Standard normal numbers as torch's CPU generator draws them.

    The bits are the Mersenne Twister's (Matsumoto and Nishimura 1998), 24 of them a uniform number; each block of 16
    of these becomes 16 normal ones by the transform of Box and Muller (1958).
    """

    def __init__(self, seed: int):
        self._bits = np.random.MT19937()
        self._bits._legacy_seeding(int(seed) & 0xFFFFFFFF)

    def normal(self, shape: tuple[int, ...]) -> np.ndarray:
        """float32 of `shape`, of at least 16 numbers: fewer are drawn in another way by torch."""
        size = int(np.prod(shape))
        assert size >= BLOCK, shape
        uniform = self._uniform(size)
        whole = size // BLOCK * BLOCK
        values = np.empty(size)
        values[:whole] = _box_muller(uniform[:whole])
        if whole < size:  # the last 16 are drawn again
            values[-BLOCK:] = _box_muller(self._uniform(BLOCK))
        return values.astype(np.float32).reshape(shape)

    def _uniform(self, count: int) -> np.ndarray:
        return (self._bits.random_raw(count) & 0xFFFFFF) * 2.0**-24


def _box_muller(uniform: np.ndarray) -> np.ndarray:
    first, second = np.moveaxis(uniform.reshape(-1, 2, BLOCK // 2), 1, 0)
    radius, angle = np.sqrt(-2 * np.log(1 - first)), 2 * np.pi * second
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).ravel()


def draw_noise(seed: int, horizon: int, latent_shape: tuple[int, int, int], chunk: int = 1, batch: int = 1) -> Noise:
    """The noise of `batch` requests of `horizon` frames: for each chunk first that on the history, then the samples.

    All plans of a request share it, so that they differ by their actions only. A shorter horizon has the same noise
    as far as it goes.
    """
    generator = NormalGenerator(seed)
    history, samples = [], []
    for _ in range(0, horizon, chunk):
        history.append(generator.normal((batch, *latent_shape)))
        samples.append(generator.normal((batch, chunk, *latent_shape)))
    return Noise(np.stack(history, axis=1), np.stack(samples, axis=1))
