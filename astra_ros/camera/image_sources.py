"""Whose pictures come on a topic: one camera's, or those of several that publish on it in turn.

Told by what messages say of themselves, the frame and the size. Two cameras that say the same cannot be told apart.
One rule for the running node and for the import.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from astra_ros.texts import short

# So often must pictures of one have come back after another's, within so many seconds, before they are of two cameras.
LEAST, WINDOW_S = 3, 10.0
# It is over when it was not seen for so long, s.
OVER_S = 5.0
# After so many pictures in a row, those of another frame or size are another camera's. A driver may name a new frame
# with each picture.
SETTLED = 5
# Endless new names must not fill the memory.
MOST = 16


class Source(NamedTuple):
    """What a picture says of its camera: its frame, and its size in pixels."""

    frame: str
    height: int
    width: int

    def beside(self, other: Source) -> str:
        """In words, what another one is not."""
        if self.frame != other.frame:
            return f"frame '{short(self.frame)}'"
        return f"{self.width} x {self.height} pixels"


@dataclass(frozen=True)
class CameraConflict:
    """Cameras that publish on one topic in turn.

    Attributes:
        sources: what each one's pictures say.
        times: how often pictures of one came back after another's.
        last_s: when that was seen last, on the clock of `received_s`.
    """

    sources: tuple[Source, ...]
    times: int
    last_s: float

    def __str__(self) -> str:
        """In words, without topic, cure, and numbers that grow."""
        by_frame = len({source.frame for source in self.sources}) > 1
        names = sorted(
            {f"'{short(each.frame)}'" if by_frame else f"{each.width} x {each.height}" for each in self.sources}
        )
        listed = f"{', '.join(names[:-1])} and {names[-1]}"
        what = f"frames {listed}" if by_frame else f"{listed} pixels"
        return f"pictures of {what} come in turn, as when several cameras publish on one topic"


class ImageSources:
    """Looks at a topic's pictures one by one, and remembers little. Not thread-safe."""

    def __init__(self) -> None:
        self._newest_s = -float("inf")
        self._conflict: CameraConflict | None = None
        self._forget()

    def _forget(self) -> None:
        self._here: Source | None = None
        self._row = 0
        self._seen: dict[Source, float] = {}
        self._returns: deque[float] = deque(maxlen=64)

    def add(self, frame: str, size: tuple[int, int], received_s: float) -> str:
        """A picture of a frame and a size (height, width), in order.

        Args:
            received_s: when it came, s; if it goes back, that is a new beginning.

        Returns:
            How it differs from what came before, where it is another camera's; else ''.
        """
        if received_s < self._newest_s - OVER_S:
            self._forget()
        self._newest_s = received_s
        source, before = Source(frame.lstrip("/"), *size), self._here
        returned = received_s - self._seen.get(source, -float("inf")) <= OVER_S
        self._seen.pop(source, None)
        self._seen[source] = received_s
        if len(self._seen) > MOST:
            del self._seen[next(iter(self._seen))]
        if before in (None, source):
            self._here, self._row = source, self._row + 1
            return ""
        other = returned or self._row >= SETTLED
        self._here, self._row = source, 1
        if returned:
            self._return(before, source, received_s)
        return f"the pictures changed from {before.beside(source)} to {source.beside(before)}" if other else ""

    def _return(self, before: Source, source: Source, now_s: float) -> None:
        self._returns.append(now_s)
        while now_s - self._returns[0] > WINDOW_S:
            self._returns.popleft()
        old = self._conflict
        if old is not None and now_s - old.last_s <= OVER_S:
            sources = old.sources + tuple(each for each in (before, source) if each not in old.sources)
            self._conflict = CameraConflict(sources[:MOST], old.times + 1, now_s)
        elif len(self._returns) >= LEAST:
            self._conflict = CameraConflict(tuple(sorted((before, source))), len(self._returns), now_s)

    def conflict(self, now_s: float | None = None) -> CameraConflict | None:
        """Of several cameras: now, or without a time the last that there was."""
        found = self._conflict
        return found if found is None or now_s is None or now_s - found.last_s <= OVER_S else None
