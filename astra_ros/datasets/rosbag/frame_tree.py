"""A tree of frames whose edges are interpolated: what an import needs of tf2, which is not on PyPI."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.datasets.rosbag.errors import FrameError
from astra_ros.rotations import Transforms, compose, interpolate


@dataclass(frozen=True)
class Edge:
    """How one frame stands in its parent.

    Attributes:
        parent: name of the parent frame.
        times_s: float64 [N], increasing; [1] where it never moves.
        transforms: N of them.
    """

    parent: str
    times_s: np.ndarray
    transforms: Transforms


class FrameTree:
    """Frames by name, each with the edge to its parent."""

    def __init__(self, edges: dict[str, Edge]):
        self.edges = edges

    def chain(self, frame: str, above: str = "") -> list[str]:
        """`frame` and those above it, up to just below `above`, or below the root.

        Raises FrameError where a frame is unknown, or `above` is not above it.
        """
        chain: list[str] = []
        parent = frame
        while parent in self.edges and parent != above:
            if parent in chain:
                raise FrameError(f"the frames {', '.join(chain)} form a cycle")
            chain.append(parent)
            parent = self.edges[parent].parent
        if above and parent != above:
            found = ", ".join([*chain[1:], parent]) if chain else "no frames"
            raise FrameError(f"not above '{frame}'; above it are {found}", thing=f"frame '{above}'")
        if not chain:
            known = ", ".join(sorted(self.edges)) or "none"
            raise FrameError(f"in no transform; there are {known}", thing=f"frame '{frame}'")
        return chain

    def pose(self, chain: list[str], times: np.ndarray) -> Transforms:
        """The first frame of a chain in the parent of its last, at `times` [N]."""
        poses = interpolate(self.edges[chain[0]].times_s, self.edges[chain[0]].transforms, times)
        for frame in chain[1:]:
            edge = self.edges[frame]
            poses = compose(interpolate(edge.times_s, edge.transforms, times), poses)
        return poses
