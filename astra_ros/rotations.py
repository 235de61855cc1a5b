"""Rotations and rigid-body motion: quaternions, rotation vectors, transforms, twists.

Quaternions are x y z w and of length 1. A rotation vector is the axis times the angle, rad. A transform is a pair
(positions [N, 3] m, quaternions [N, 4]) that takes points of the child frame into the parent frame, as in
`geometry_msgs/Transform`. A twist is a linear velocity (m/s) followed by an angular one (rad/s), both in the moving
frame. Formulas: Murray, Li, Sastry, A Mathematical Introduction to Robotic Manipulation, 1994, appendix A.
"""

from __future__ import annotations

import numpy as np

Transforms = tuple[np.ndarray, np.ndarray]


def multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Quaternion product [N, 4]: first b, then a."""
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
    """The inverse rotation."""
    return q * [-1, -1, -1, 1]


def rotate(q: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Vectors [N, 3] rotated by quaternions [N, 4]."""
    twice = 2 * np.cross(q[:, :3], v)
    return v + q[:, 3:] * twice + np.cross(q[:, :3], twice)


def rotation_matrix(q: np.ndarray) -> np.ndarray:
    """[..., 3, 3] of quaternions [..., 4] of any length above 0."""
    x, y, z, w = np.moveaxis(q / np.linalg.norm(q, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def rotation_vector(q: np.ndarray) -> np.ndarray:
    """[N, 3] of quaternions [N, 4], at most pi long."""
    q = np.where(q[:, 3:] < 0, -q, q)  # the short way round
    sine = np.linalg.norm(q[:, :3], axis=1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[:, 3:])
    return q[:, :3] * np.where(sine > 1e-9, angle / np.maximum(sine, 1e-12), 2.0)


def from_rotation_vector(vector: np.ndarray) -> np.ndarray:
    """Quaternions [N, 4] of rotation vectors [N, 3]."""
    angle = np.linalg.norm(vector, axis=1, keepdims=True)
    # sin(x/2)/x, which np.sinc gives at 0 too
    return np.concatenate([vector * 0.5 * np.sinc(angle / (2 * np.pi)), np.cos(angle / 2)], axis=1)


def from_rpy(rpy) -> tuple[float, float, float, float]:
    """Quaternion of roll, pitch and yaw, rad: turns about the fixed axes x, then y, then z, as in URDF."""
    (sr, sp, sy), (cr, cp, cy) = np.sin(np.divide(rpy, 2)), np.cos(np.divide(rpy, 2))
    x, y = sr * cp * cy - cr * sp * sy, cr * sp * cy + sr * cp * sy
    z, w = cr * cp * sy - sr * sp * cy, cr * cp * cy + sr * sp * sy
    return float(x), float(y), float(z), float(w)


def antisymmetric(matrix: np.ndarray) -> np.ndarray:
    """[..., 3] axis times the sine of the angle, of rotation matrices [..., 3, 3]."""
    m = matrix
    parts = (m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1])
    return 0.5 * np.stack(parts, axis=-1)


def cross_matrix(v: np.ndarray) -> np.ndarray:
    """[..., 3, 3] the matrix of `v x`, of vectors [..., 3]."""
    x, y, z = np.moveaxis(v, -1, 0)
    zero = np.zeros_like(x)
    return np.stack([np.stack([zero, -z, y], -1), np.stack([z, zero, -x], -1), np.stack([-y, x, zero], -1)], axis=-2)


def exponential(twist: np.ndarray) -> np.ndarray:
    """The poses [..., 4, 4] that twists [..., 6] reach in a unit of time."""
    vector = twist[..., 3:]
    angle = np.linalg.norm(vector, axis=-1)[..., None, None]
    cross = cross_matrix(vector)
    square = cross @ cross
    cosine = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    small = angle < 1e-2  # where the first terms of the series are exact to 1e-12
    safe = np.where(small, 1.0, angle)
    rest = np.where(small, 1 / 6 - angle**2 / 120, (safe - np.sin(safe)) / safe**3)
    pose = np.zeros((*twist.shape[:-1], 4, 4))
    pose[..., 3, 3] = 1.0
    pose[..., :3, :3] = np.eye(3) + np.sinc(angle / np.pi) * cross + cosine * square
    pose[..., :3, 3] = ((np.eye(3) + cosine * cross + rest * square) @ twist[..., :3, None])[..., 0]
    return pose


def compose(a: Transforms, b: Transforms) -> Transforms:
    """Parent from child from grandchild."""
    return a[0] + rotate(a[1], b[0]), multiply(a[1], b[1])


def inverse(a: Transforms) -> Transforms:
    back = conjugate(a[1])
    return -rotate(back, a[0]), back


def body_displacement(a: Transforms, b: Transforms) -> np.ndarray:
    """[N, 6] the logarithm on SE(3) of the motion from `a` to `b`, m and rad, in the frame of `a`.

    A body that moves with a constant twist for t seconds is displaced by the twist times t, also along a curve.
    """
    shift, turn = compose(inverse(a), b)
    w = rotation_vector(turn)
    angle = np.linalg.norm(w, axis=1, keepdims=True)
    small = angle < 1e-4
    safe = np.where(small, 1.0, angle)
    # half the angle times its cotangent, so that a half turn is not a division by 0
    factor = np.where(small, 1 / 12, (1 - safe / 2 / np.tan(safe / 2)) / safe**2)
    across = np.cross(w, shift)
    return np.concatenate([shift - across / 2 + factor * np.cross(w, across), w], axis=1)


def interpolate(times: np.ndarray, transforms: Transforms, at: np.ndarray) -> Transforms:
    """Transforms [M] at `at` between those [N] at `times`: straight lines and slerp; outside, the nearest one."""
    p, q = transforms
    if len(times) == 1:
        return np.repeat(p, len(at), axis=0), np.repeat(q, len(at), axis=0)
    right = np.clip(np.searchsorted(times, at), 1, len(times) - 1)
    left = right - 1
    share = np.clip((at - times[left]) / (times[right] - times[left]), 0, 1)[:, None]
    turn = rotation_vector(multiply(conjugate(q[left]), q[right]))
    return p[left] + share * (p[right] - p[left]), multiply(q[left], from_rotation_vector(share * turn))


def turned(vector: np.ndarray, angle: float) -> np.ndarray:
    """A vector [2] turned counter-clockwise by an angle, rad."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([c * vector[0] - s * vector[1], s * vector[0] + c * vector[1]])
