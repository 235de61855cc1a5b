"""Mixes of candidate plans."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def mixed(kinds: Sequence[str], count: int, few: int, rng: np.random.Generator) -> list[str]:
    """``count`` kinds in random order: one of each in turn, over and over.

    Fewer than ``few`` are the first kind, which is the good one, and a random choice of the rest; a single one is any
    of the rest.
    """
    mix = [kinds[i % len(kinds)] for i in range(max(count, len(kinds)))]
    if count < few:
        rest = [kinds[1 + i] for i in rng.permutation(len(kinds) - 1)]
        mix = [kinds[0], *rest] if count > 1 else rest
    return [mix[i] for i in rng.permutation(count)]
