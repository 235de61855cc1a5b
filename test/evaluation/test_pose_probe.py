"""Poses and motions read from images, and their figures by hand."""

from dataclasses import replace

import numpy as np
import pytest

from astra_ros.datasets.episode import Episode
from astra_ros.evaluation import action_following
from astra_ros.evaluation.action_following import PoseReader, steps_between
from astra_ros.evaluation.pose_probe import as_channels, shrunk, train_probe
from astra_ros.evaluation.space_figures import PoseFigures


def test_steps_between_poses_are_in_the_frame_they_start_from():
    half = np.sqrt(0.5)
    # Optical frame looking along the world's x: x right = -y, y down = -z, z forward = +x.
    look = [-0.5, 0.5, -0.5, 0.5]
    forward = np.array([[0, 0, 1, *look], [2, 0, 1, *look], [2, 3, 1, *look]], float)
    np.testing.assert_allclose(steps_between(forward), [[0, 0, 2, 0, 0, 0], [-3, 0, 0, 0, 0, 0]], atol=1e-12)
    # A right angle about the frame's own z: sin(90 degrees) along z, and 1 m along the old x.
    turn = np.array([[0, 0, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, half, half]], float)
    np.testing.assert_allclose(steps_between(turn), [[1, 0, 0, 0, 0, 1]], atol=1e-12)


def test_near_by_hand():
    reader = PoseReader(None, True, None)
    true = np.zeros((1, 4, 3))
    read = true + np.array([[0.01], [0.04], [0.06], [0.09]]) * [[1, 0, 0]]
    assert reader.figures(read, true) == PoseFigures(mean_error_m=pytest.approx(0.05), near=0.5)
    # A moving camera: 5 % of the range of motions (4 m, 1 rad), but never less than 5 cm.
    reader = PoseReader(None, False, np.array([4.0, 1.0]))
    true, read = np.zeros((1, 3, 6)), np.zeros((1, 3, 6))
    read[0, :, 0] = 0.19, 0.21, 0.19  # limit 0.2 m
    read[0, 2, 5] = 0.06  # limit 0.05 rad
    assert reader.figures(read, true).near == pytest.approx(1 / 3)


def test_a_probe_learns_to_read_a_pose():
    """A bright square whose place is the pose: read to a tenth of its range after some steps."""
    rng = np.random.default_rng(0)
    places = rng.uniform(-1, 1, (400, 3))
    frames = np.zeros((400, 32, 32, 3), np.uint8)
    for frame, (x, y, _) in zip(frames, places):
        row, column = int(12 + 10 * y), int(12 + 10 * x)
        frame[row : row + 8, column : column + 8] = 255
    places[:, 2] = 0.5
    probe = train_probe(frames, places, np.arange(400)[:, None], 300)
    read = probe(as_channels(frames[:50, None])).detach().numpy()
    assert np.abs(read - places[:50]).mean(0).max() < 0.1


def test_a_probe_learns_to_read_a_motion():
    """A camera turns over a wall of noise: what is seen of it is read to a fifth of the range."""
    rng = np.random.default_rng(0)
    wall = np.repeat(np.repeat(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8), 4, 0), 4, 1)
    at = rng.integers(0, 96, (600, 2))
    moved = np.clip(at + rng.integers(-8, 9, (600, 2)), 0, 96)
    frames = np.stack([wall[y : y + 64, x : x + 64] for x, y in np.concatenate([at, moved])])
    targets = np.zeros((600, 6))
    targets[:, :2] = (moved - at) / 8
    picks = np.stack([np.arange(600), np.arange(600, 1200)], axis=1)
    probe = train_probe(frames, targets[:500], picks[:500], 100)
    read = probe(as_channels(frames[picks[500:]])).detach().numpy()
    assert np.abs(read - targets[500:])[:, :2].mean() < 0.2


def test_the_mirror_image_of_a_motion_is_one():
    rng = np.random.default_rng(0)
    poses = rng.normal(size=(5, 7))
    mirrored = poses * [-1, 1, 1, 1, -1, -1, 1]  # places, and quaternions x y z w
    np.testing.assert_allclose(steps_between(mirrored), steps_between(poses) * action_following.MIRRORED, atol=1e-12)


def test_a_probe_sees_mirror_images_where_it_is_told_to():
    """All that is bright is on the right; a probe that has seen mirror images knows it on the left."""
    frames = np.zeros((8, 16, 16, 3), np.uint8)
    frames[:, :, 8:] = 255
    targets = np.ones((8, 1))
    for mirrored, other in ((None, 1.0), ((-1.0,), -1.0)):
        probe = train_probe(frames, targets, np.arange(8)[:, None], 100, mirrored)
        probe.spread.fill_(1.0)
        read = probe(as_channels(frames[:1, None]).flip(-1)).detach()
        assert (float(read) < 0.0) == (other < 0), (mirrored, float(read))


def test_pictures_of_any_size_are_read():
    rng = np.random.default_rng(0)
    for rows, cols in ((64, 64), (128, 96), (72, 128)):
        frames = rng.integers(0, 256, (4, rows, cols, 3), dtype=np.uint8)
        made = shrunk(frames)
        assert made.shape[1] == 64 and made.shape[2] % 4 == 0
        assert abs(made.shape[2] / 64 - cols / rows) < 0.05
        assert made.mean() == pytest.approx(frames.mean(), rel=0.02)


def test_the_way_back_is_an_example_too(monkeypatch):
    """What a motion probe is trained on, for an episode of three frames."""
    seen = {}
    monkeypatch.setattr(
        action_following,
        "train_probe",
        lambda frames, targets, picks, steps, mirrored, **more: seen.update(
            targets=targets, picks=picks, mirrored=mirrored
        ),
    )
    half = np.sqrt(0.5)
    poses = np.array([[0, 0, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, half, half], [1, 2, 0, 0, 0, half, half]])
    episode = Episode(
        np.zeros((3, 64, 64, 3), np.uint8),
        np.zeros((3, 1), np.float32),
        {"camera_pose": poses},
        ("linear.x",),
        "twist",
        "drive",
        "car",
        0.25,
    )
    PoseReader.trained([episode])
    assert seen["mirrored"] is None  # a real camera may look past the middle of its picture
    PoseReader.trained([replace(episode, seed=3)])
    assert seen["mirrored"] == action_following.MIRRORED
    assert seen["picks"].tolist() == [[0, 1], [1, 2], [1, 0], [2, 1]]
    # From the turned camera the first place lies 1 m along its own y, and the way back turns back.
    np.testing.assert_allclose(
        seen["targets"], [[1, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, -1], [-2, 0, 0, 0, 0, 0]], atol=1e-12
    )
