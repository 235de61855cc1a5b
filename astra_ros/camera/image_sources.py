"""Which camera the images of a topic come from: one, or several that publish there in turn.

Cameras are told apart by frame_id and image size; two cameras with the same ones cannot be told apart. The node and
the import of bags share these rules.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from astra_ros.texts import short

# So many returns to an earlier source within so many seconds mean two cameras.
LEAST, WINDOW_S = 3, 10.0
# A conflict that was not seen for so long is over, s.
OVER_S = 5.0
# After so many images in a row, another frame_id or size means another camera. Some drivers give each image a new
# frame_id.
SETTLED = 5
# Sources remembered, so that endless new names do not fill the memory.
MOST = 16


class Source(NamedTuple):
    """What an image says about its camera: frame_id and size in pixels."""

    frame: str
    height: int
    width: int

    def beside(self, other: Source) -> str:
        """In words, what differs from another source."""
        if self.frame != other.frame:
            return f"frame '{short(self.frame)}'"
        return f"{self.width} x {self.height} pixels"


@dataclass(frozen=True)
class CameraConflict:
    """Cameras that publish on one topic in turn."""

    sources: tuple[Source, ...]  # one per camera
    times: int  # how often the images of one returned after another's
    last_s: float  # when that was seen last, on the clock of `received_s`

    def __str__(self) -> str:
        """In words, without topic and cure, and without numbers that grow."""
        by_frame = len({source.frame for source in self.sources}) > 1
        texts = (f"'{short(each.frame)}'" if by_frame else f"{each.width} x {each.height}" for each in self.sources)
        names = sorted(set(texts))
        listed = f"{', '.join(names[:-1])} and {names[-1]}"
        what = f"frames {listed}" if by_frame else f"{listed} pixels"
        return f"images of {what} come in turn, as when several cameras publish on one topic"


class ImageSources:
    """Follows the images of a topic one by one, in bounded memory. Not thread-safe."""

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
        """Adds the next image: its frame_id, (height, width) in pixels and when it came, s.

        A time that goes back begins a new stream.

        Returns:
            How it differs from the image before where it is another camera's; else ''.
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
        return f"the images changed from {before.beside(source)} to {source.beside(before)}" if other else ""

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
        """The conflict of several cameras at a time; without a time, the last one."""
        found = self._conflict
        return found if found is None or now_s is None or now_s - found.last_s <= OVER_S else None
