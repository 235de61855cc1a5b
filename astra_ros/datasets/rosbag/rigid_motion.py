"""Rigid transforms over time: positions and unit quaternions, as many as there are times.

A transform is a pair (p [N, 3] m, q [N, 4] x y z w) that takes points of the child frame into the
parent frame, as in `geometry_msgs/Transform`. tf2 is not on PyPI; what an import needs of it is
here: a tree of frames, each edge interpolated at the times asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Transforms = tuple[np.ndarray, np.ndarray]


def multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Quaternion product [N, 4], x y z w: first b, then a."""
    ax, ay, az, aw = a.T
    bx, by, bz, bw = b.T
    return np.stack(
        [
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        ],
        axis=1,
    )


def conjugate(q: np.ndarray) -> np.ndarray:
    return q * [-1, -1, -1, 1]


def rotate(q: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Vectors [N, 3] turned by quaternions [N, 4]."""
    twice = 2 * np.cross(q[:, :3], v)
    return v + q[:, 3:] * twice + np.cross(q[:, :3], twice)


def compose(a: Transforms, b: Transforms) -> Transforms:
    """Parent from child from grandchild."""
    return a[0] + rotate(a[1], b[0]), multiply(a[1], b[1])


def inverse(a: Transforms) -> Transforms:
    back = conjugate(a[1])
    return -rotate(back, a[0]), back


def rotation_vector(q: np.ndarray) -> np.ndarray:
    """[N, 3] axis times angle, rad, at most pi long."""
    q = np.where(q[:, 3:] < 0, -q, q)  # the short way round
    sine = np.linalg.norm(q[:, :3], axis=1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[:, 3:])
    return q[:, :3] * np.where(sine > 1e-9, angle / np.maximum(sine, 1e-12), 2.0)


def from_rotation_vector(vector: np.ndarray) -> np.ndarray:
    """Unit quaternions [N, 4] of rotation vectors [N, 3]."""
    angle = np.linalg.norm(vector, axis=1, keepdims=True)
    # sin(x/2)/x, which np.sinc gives at 0 too
    return np.concatenate([vector * 0.5 * np.sinc(angle / (2 * np.pi)), np.cos(angle / 2)], axis=1)


def body_displacement(a: Transforms, b: Transforms) -> np.ndarray:
    """[N, 6], m and rad: the logarithm on SE(3) of the motion from `a` to `b`, seen from `a`.

    A body that moves with the constant velocity v, w in its own frame for t seconds is displaced by
    (v, w) * t, also along a curve (Murray, Li, Sastry 1994, appendix A).
    """
    shift, turn = compose(inverse(a), b)
    w = rotation_vector(turn)
    angle = np.linalg.norm(w, axis=1, keepdims=True)
    small = angle < 1e-4
    safe = np.where(small, 1.0, angle)
    # half the angle times its cotangent, so that a half turn is no division by 0
    factor = np.where(small, 1 / 12, (1 - safe / 2 / np.tan(safe / 2)) / safe**2)
    across = np.cross(w, shift)
    return np.concatenate([shift - across / 2 + factor * np.cross(w, across), w], axis=1)


def interpolate(times: np.ndarray, transforms: Transforms, at: np.ndarray) -> Transforms:
    """Transforms [M] at `at` between those [N] at `times`: straight lines, even turns (slerp).

    Outside of `times`, the nearest one.
    """
    p, q = transforms
    if len(times) == 1:
        return np.repeat(p, len(at), axis=0), np.repeat(q, len(at), axis=0)
    right = np.clip(np.searchsorted(times, at), 1, len(times) - 1)
    left = right - 1
    share = np.clip((at - times[left]) / (times[right] - times[left]), 0, 1)[:, None]
    turn = rotation_vector(multiply(conjugate(q[left]), q[right]))
    return (p[left] + share * (p[right] - p[left]), multiply(q[left], from_rotation_vector(share * turn)))


class FrameError(ValueError):
    """A frame that is not in the tree, or not above another one."""


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
        chain, parent = [], frame
        while parent in self.edges and parent != above:
            if parent in chain:
                raise FrameError(f"the frames {', '.join(chain)} are a circle")
            chain.append(parent)
            parent = self.edges[parent].parent
        if above and parent != above:
            raise FrameError(
                f"frame '{above}' is not above '{frame}'; above it are "
                f"{', '.join([*chain[1:], parent]) if chain else 'no frames'}"
            )
        if not chain:
            raise FrameError(f"frame '{frame}' is in no transform; there are {', '.join(sorted(self.edges)) or 'none'}")
        return chain

    def pose(self, chain: list[str], times: np.ndarray) -> Transforms:
        """The first frame of a chain in the parent of its last, at `times` [N]."""
        poses = interpolate(self.edges[chain[0]].times_s, self.edges[chain[0]].transforms, times)
        for frame in chain[1:]:
            edge = self.edges[frame]
            poses = compose(interpolate(edge.times_s, edge.transforms, times), poses)
        return poses
