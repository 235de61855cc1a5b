"""As many plans at once as memory holds."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from astra_ros.inference.card import ModelCard
from astra_ros.inference.engine_failures import NotEnoughMemory, is_out_of_memory

LOG = logging.getLogger(__name__)
Made = TypeVar("Made")
SMALL = 2**28  # bytes; a request that needs less is not compared with the free memory


class Batches:
    """Runs work on as many things at once as memory holds. How many these are is remembered, and said when it falls.

    Args:
        what: 'plans', 'images'.
        runs_on: the engine, for messages.
    """

    def __init__(self, what: str, runs_on: str) -> None:
        self._what, self._runs_on = what, runs_on
        self.most: int | None = None  # at once; None: as many as there are

    def __call__(self, count: int, work: Callable[[slice], Made]) -> list[Made]:
        """What `work` makes of all of them, one slice after the other.

        Raises NotEnoughMemory where one alone is too large, and whatever else `work` raises.
        """
        made: list[Made] = []
        first = 0
        while first < count or not made:
            size = min(self.most or count, count - first)
            try:
                made.append(work(slice(first, first + size)))
                first += size
                continue
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if size <= 1:
                    raise NotEnoughMemory.of(f"one of {count} {self._what}", self._runs_on) from error
            # Here, since the error keeps the arrays of the failed work alive.
            self.most = (size + 1) // 2
            LOG.warning(
                f"{self._runs_on}: memory does not suffice for {size} {self._what} at once; from now on {self.most} at "
                "a time, which takes longer"
            )
        return made


def check_memory(card: ModelCard, plans: int, horizon: int) -> None:
    """Raises NotEnoughMemory where the renders and results of a request are larger than the free main memory.

    The system would end the process instead of refusing the memory.
    """
    channels, rows, cols = card.latent_shape
    latents = 2 * 4 * channels * rows * cols  # chunk by chunk, then all of them
    renders = 3 * card.image_size[0] * card.image_size[1] if card.cameras else 0
    needed = plans * horizon * (latents + renders)
    if needed < SMALL:
        return
    free = free_bytes()
    if free is not None and needed > free:
        problem = (
            f"{plans} plans of {horizon} frames need at least {needed / 1e9:.1f} GB, and {free / 1e9:.1f} are free"
        )
        raise NotEnoughMemory(problem, thing=f"model '{card.name}'", cure="send fewer plans, or take a shorter horizon")


def free_bytes(root: Path = Path("/")) -> int | None:
    """Main memory that this process may still take, from the machine and its control group; None: not known."""
    found = []
    with suppress(OSError, ValueError, KeyError):
        found.append(1024 * _numbers(root / "proc/meminfo")["MemAvailable:"])
    with suppress(OSError, ValueError, KeyError):  # 'max' is no number: there is no limit
        group = root / "sys/fs/cgroup"
        found.append(int((group / "memory.max").read_text()) - _numbers(group / "memory.stat")["anon"])
    return min(found, default=None)


def _numbers(file: Path) -> dict[str, int]:
    lines = (line.split() for line in file.read_text().splitlines())
    return {words[0]: int(words[1]) for words in lines if len(words) > 1}
