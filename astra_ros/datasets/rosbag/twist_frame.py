"""The frame of an odometry's twist, found by comparing it with the odometry's poses.

`nav_msgs/Odometry` defines `twist` in `child_frame_id`, the robot's own frame. Some publishers give it in the frame of
the header, others in other units or with another sign. What agrees with the poses is used: first the twist as it is
defined, then the twist rotated into the robot's frame, else the poses. Where the poses cannot tell, the twist is used
as it is defined.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from astra_ros.datasets.rosbag.pose_jumps import are_jumps
from astra_ros.datasets.rosbag.resample import JUMP_BACK_S, travelled
from astra_ros.rotations import conjugate, multiply, rotate, rotation_vector

# Poses and velocities are compared over so many seconds, so that the noise of poses hardly matters.
WINDOW_S = 0.5
# Twist and poses agree where the displacements differ by less than this share, in the typical window.
AGREES = 0.3
# A window with less motion tells nothing, m and rad. So many windows, and so much motion in all, are enough.
LEAST_M, LEAST_RAD = 0.01, 0.03
LEAST_WINDOWS, LEAST_WAY_M, LEAST_TURN_RAD = 8, 0.2, 0.3


class TwistFrame(Enum):
    """The numbers that describe the robot's motion in its own frame."""

    DEFINED = "the twist, as the message's definition says"
    TURNED = "the twist, rotated from the header's frame into the robot's"
    POSES = "the poses: the twist agrees with them in neither frame"
    UNKNOWN = "the poses cannot tell"


@dataclass(frozen=True)
class Comparison:
    """Twist and poses of an odometry, compared."""

    frame: TwistFrame
    said: np.ndarray  # [2, 6] the 5th and 95th percentile of linear.x, y, z and angular.x, y, z by the twist
    seen: np.ndarray  # the same by the poses
    column: int  # the component in which they differ most


@dataclass(frozen=True)
class _Windows:
    """W windows: displacements in the fixed frame [W, 3], m, and rotation vectors in the robot's own [W, 3], rad."""

    took_s: np.ndarray
    moved: np.ndarray
    turned: np.ndarray
    defined: np.ndarray
    as_fixed: np.ndarray
    said_turned: np.ndarray
    body_velocity: np.ndarray


def compare(times_s: np.ndarray, velocities: np.ndarray, poses: np.ndarray) -> Comparison:
    """Compare an odometry's velocities [N, 6] with its poses [N, 7], in order of recording; NaN: missing."""
    windows = _windows(times_s, velocities, poses)
    if windows is None:
        return Comparison(TwistFrame.UNKNOWN, np.zeros((2, 6)), np.zeros((2, 6)), 0)
    seen_rates = np.concatenate([windows.body_velocity, windows.turned / windows.took_s[:, None]], axis=1)
    said_rates = velocities[np.isfinite(velocities).all(axis=1)]
    said, seen = (np.quantile(rates, (0.05, 0.95), axis=0) for rates in (said_rates, seen_rates))
    column = int(np.argmax(np.abs(said - seen).max(axis=0) * [1, 1, 1, 0.5, 0.5, 0.5]))
    defined, as_fixed = _linear_errors(windows)
    turned = _error(windows.turned, windows.said_turned, LEAST_RAD, LEAST_TURN_RAD)
    if _never_turned(windows):
        frame = TwistFrame.UNKNOWN  # the orientation is not filled
    elif turned is not None and turned > AGREES:
        frame = TwistFrame.POSES
    elif defined is None or defined <= AGREES:
        frame = TwistFrame.UNKNOWN if defined is None and turned is None else TwistFrame.DEFINED
    else:
        frame = TwistFrame.TURNED if as_fixed is not None and as_fixed <= AGREES else TwistFrame.POSES
    return Comparison(frame, said, seen, column)


def turned_into_body(velocities: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """Velocities [N, 6] in the fixed frame, in that of the robot, which stands at poses [N, 7]."""
    back = conjugate(poses[:, 3:])
    return np.concatenate([rotate(back, velocities[:, :3]), rotate(back, velocities[:, 3:])], axis=1)


def _windows(times_s: np.ndarray, velocities: np.ndarray, poses: np.ndarray) -> _Windows | None:
    good = np.isfinite(times_s) & np.isfinite(poses).all(axis=1) & np.isfinite(velocities).all(axis=1)
    times_s, velocities, poses = times_s[good], velocities[good], poses[good]
    cuts = np.flatnonzero(np.diff(times_s) < -JUMP_BACK_S) + 1
    found = []
    for run in np.split(np.arange(len(times_s)), cuts):
        _, first = np.unique(times_s[run], return_index=True)
        run = run[first]
        if len(run) > 2:
            found.append(_of_run(times_s[run], velocities[run], poses[run]))
    if not found or not sum(len(each[0]) for each in found):
        return None
    return _Windows(*(np.concatenate(parts) for parts in zip(*found)))


def _of_run(times: np.ndarray, velocities: np.ndarray, poses: np.ndarray) -> tuple[np.ndarray, ...]:
    step = float(np.median(np.diff(times)))
    length = max(WINDOW_S, 4 * step)
    turn = poses[:, 3:]
    in_fixed = travelled(times, np.concatenate([rotate(turn, velocities[:, :3]), velocities], axis=1))
    begin: np.ndarray = np.arange(len(times))
    end = np.searchsorted(times, times + length)
    begin, end = begin[end < len(times)], end[end < len(times)]
    # Not across a silence, in which the velocity is unknown.
    longest = np.array([np.diff(times[a : b + 1]).max() for a, b in zip(begin, end)])
    keep = longest <= max(0.25 * length, 3 * step) if len(longest) else np.empty(0, bool)
    # Nor across a jump of the pose.
    jumps = np.concatenate([[0], np.cumsum(are_jumps(times, (poses[:, :3], turn)))])
    keep &= jumps[end] == jumps[begin]
    begin, end = begin[keep], end[keep]
    took = times[end] - times[begin]
    moved = poses[end, :3] - poses[begin, :3]
    ways = in_fixed[end] - in_fixed[begin]
    turned = rotation_vector(multiply(conjugate(turn[begin]), turn[end]))
    middle = turn[(begin + end) // 2]
    body_velocity = rotate(conjugate(middle), moved) / np.maximum(took, 1e-9)[:, None]
    return took, moved, turned, ways[:, :3], ways[:, 3:6], ways[:, 6:], body_velocity


def _linear_errors(windows: _Windows) -> tuple[float | None, float | None]:
    """How far the twist differs from the poses: as it is defined, and as a twist in the fixed frame; see `_error`."""
    seen, ways = windows.moved, (windows.defined, windows.as_fixed)
    if np.linalg.norm(seen, axis=1).max() < LEAST_M:
        return None, None  # the poses are not filled
    everywhere = [_error(seen, said, LEAST_M, LEAST_WAY_M) for said in ways]
    # Where the robot is oriented as the fixed frame, both are the same.
    apart = np.linalg.norm(ways[0] - ways[1], axis=1) > AGREES * np.linalg.norm(ways[0], axis=1)
    there = [_error(seen[apart], said[apart], LEAST_M, LEAST_WAY_M) for said in ways]
    if there[0] is None or there[1] is None or there[1] > AGREES:
        there = everywhere
    return there[0], there[1]


def _error(seen: np.ndarray, said: np.ndarray, least: float, least_in_all: float) -> float | None:
    """The share by which two displacements [W, 3] differ in the typical window; None where too little moves."""
    size = np.maximum(np.linalg.norm(seen, axis=1), np.linalg.norm(said, axis=1))
    busy = size >= least
    if busy.sum() < LEAST_WINDOWS or size[busy].max() < least or size[busy].mean() * busy.sum() < least_in_all:
        return None
    return float(np.median(np.linalg.norm(seen - said, axis=1)[busy] / size[busy]))


def _never_turned(windows: _Windows) -> bool:
    """Whether the twist rotates while the orientation never changes."""
    return bool(np.abs(windows.turned).max() < 1e-6 and np.linalg.norm(windows.said_turned, axis=1).max() > LEAST_RAD)
