"""Bags of an arm, a base and a free camera as episodes: every number worked out by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest
from bag_maker import T0, BagMaker, arm_bag

from astra_ros.camera.moving_camera import MovingCamera
from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.datasets.dataset import list_episodes, load_episode
from astra_ros.datasets.rosbag.errors import BagError, UnknownJoint
from astra_ros.datasets.rosbag.import_bag import import_bag
from astra_ros.datasets.rosbag.import_settings import BagSettings
from astra_ros.plans.action_spaces.camera import CameraSpace
from astra_ros.rotations import (
    body_displacement,
    compose,
    from_rotation_vector,
    inverse,
    rotation_matrix,
    rotation_vector,
)

SETTINGS = BagSettings(robot="mine")


# The optical frame in a frame whose x looks forward: z forward, x right, y down.
OPTICAL = (-0.5, 0.5, -0.5, 0.5)


def imported(bag, out, **changes):
    """The report and the episodes of one bag."""
    report = import_bag(bag, out, replace(SETTINGS, **changes))
    frames = report["frames"]
    assert frames["used"] + sum(frames["dropped"].values()) == frames["in_bag"]
    episodes = [load_episode(out / f"{item['file']}.parquet") for item in report["episodes"]]
    assert sum(len(episode) for episode in episodes) == frames["used"]
    return report, episodes


def on_circle(t):
    """Where a base is that drives at 0.4 m/s and turns by 0.5 rad/s: 0.8 m around (0, 0.8)."""
    return 0.8 * np.sin(0.5 * t), 0.8 - 0.8 * np.cos(0.5 * t), 0.0


def yaw(angle):
    return (0.0, 0.0, np.sin(angle / 2), np.cos(angle / 2))


@pytest.mark.parametrize("storage", ["sqlite3", "mcap"])
def test_an_arm_moving_evenly_is_resampled_exactly(tmp_path, storage, capsys):
    rng = np.random.default_rng(0)
    with BagMaker(tmp_path / "bag", storage) as bag:
        stamps = np.arange(85) / 12.8  # Hz: 0.25 s falls between images
        for t in stamps:
            bag.image(t, size=(64, 96))
        for t in np.cumsum(rng.uniform(0.01, 0.09, 200)) - 0.1:  # odd rates, beyond both ends
            bag.joints(t, shoulder=0.1 + 0.2 * t, elbow=-0.05 * t)
        bag.add(1.0, "/rosout", "std_msgs/msg/String", b"\0\1\0\0\1\0\0\0\0")
    report, (episode,) = imported(tmp_path / "bag", tmp_path / "out")
    # 6.56 s hold 27 frames 0.25 s apart. Nearest to k * 0.25 s is image k * 3.2, rounded.
    assert len(episode) == 27 and episode.frames.shape[1:] == (64, 64, 3)
    numbers = episode.frames[:, 0, 0, 0].astype(int)
    assert list(numbers[:8]) == [0, 3, 6, 10, 13, 16, 19, 22]
    assert np.abs(stamps[numbers] - 0.25 * np.arange(27)).max() <= 0.5 / 12.8
    assert (episode.frames == episode.frames[:, :1, :1, :1]).all()
    assert episode.motion_names == ("elbow", "shoulder")
    at = stamps[numbers]
    np.testing.assert_allclose(episode.motion, np.stack([-0.05 * at, 0.1 + 0.2 * at], 1), atol=1e-6)
    assert episode.space == "mine_joints" and episode.seed is None and episode.dt_s == 0.25
    assert episode.source["bag"] == "bag" and episode.source["clock"] == "header"
    assert episode.source["start_ns"] == T0 * 10**9
    # The report beside it, on the terminal, and in the dataset's README
    stored = json.loads((tmp_path / "out" / "mine_joints_000000.import.json").read_text())
    assert stored["episodes"] == report["episodes"] and stored["format"] == storage
    assert episode.source["report"] == "mine_joints_000000.import.json"
    assert stored["frames"] == {
        "in_bag": 85,
        "used": 27,
        "dropped": {"between the steps: the camera is faster than dt_s": 58},
    }
    assert {"name": "/rosout", "type": "std_msgs/msg/String", "messages": 1, "used_as": ""} in stored["topics"]
    assert any("of 96 x 64 the middle 64 x 64 is kept" in note for note in report["notes"])
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| mine_joints | real | 1 | 0 | 27 |" in card and ".style.mp4" not in card


def test_joints_of_two_publishers_and_in_an_order_of_ones_own(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 6, 0.1):
            bag.image(t)
            bag.joints(t - 0.03, a=t - 0.03, b=0.0)
            bag.joints(t + 0.05, gripper=2 * (t + 0.05))
        bag.joints(6.0, a=6.0, b=0.0)
        bag.joints(-0.05, gripper=-0.1)
    _, (episode,) = imported(tmp_path / "bag", tmp_path / "out", joints=("gripper", "a"))
    at = episode.motion[:, 1]
    np.testing.assert_allclose(np.diff(at), 0.25, atol=0.051)
    np.testing.assert_allclose(episode.motion[:, 0], 2 * at, atol=1e-6)
    with pytest.raises(UnknownJoint) as error:
        import_bag(tmp_path / "bag", tmp_path / "out2", replace(SETTINGS, joints=("wrist",)))
    assert error.value.joints == ("wrist",) and error.value.known == ("a", "b", "gripper")


def test_commanded_positions_of_a_controller(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 6, 0.1):
            bag.image(t)
            bag.controller_state(t, j1=0.3 * t)
            bag.joints(t, j1=0.0)
    topic = "/arm_controller/controller_state"
    report, (episode,) = imported(tmp_path / "bag", tmp_path / "out", motion_topic=topic)
    assert report["motion"]["how"].startswith("commanded positions")
    np.testing.assert_allclose(episode.motion[:, 0], 0.3 * (episode.frames[:, 0, 0, 0] / 10), atol=1e-6)


def test_a_base_under_a_constant_command_that_ends(tmp_path):
    with BagMaker(tmp_path / "bag", "sqlite3") as bag:
        for t in np.arange(0, 8.01, 0.125):
            bag.compressed(t)
        for t in np.arange(1.0, 5.0, 0.1):  # the last at 4.9 s
            bag.twist(t - 0.005, vx=0.4, wz=-0.5)
    report, (episode,) = imported(tmp_path / "bag", tmp_path / "out")
    assert report["motion"]["modality"] == "twist"
    assert "/cmd_vel has no stamps" in report["clock"]["why"]
    assert episode.motion_names == ("linear.x", "angular.z")
    # Rest until 1 s; row k is the mean from (k - 1) / 4 s to k / 4 s.
    share = np.ones(33)
    share[:5] = 0
    # The last command holds for 0.5 s, until 5.4 s: 0.15 s of the interval that ends at 5.5 s.
    share[22] = 0.15 / 0.25
    share[23:] = 0
    np.testing.assert_allclose(episode.motion, share[:, None] * [[0.4, -0.5]], atol=1e-6)


def test_a_base_by_its_odometry(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 6, 0.1):
            bag.image(t)
        for t in np.arange(-0.5, 6.5, 0.07):
            bag.odometry(t, vx=0.1 * t, wz=0.2)
    _, (episode,) = imported(tmp_path / "bag", tmp_path / "out", modality="twist")
    at = episode.frames[:, 0, 0, 0] / 10
    middle = (np.concatenate([[at[0] - 0.25], at[:-1]]) + at) / 2
    np.testing.assert_allclose(episode.motion[:, 0], 0.1 * middle, atol=1e-6)
    np.testing.assert_allclose(episode.motion[:, 1], 0.2, atol=1e-6)


def test_a_base_whose_odometry_has_poses_only(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 6, 0.1):
            bag.image(t)
        for t in np.arange(-0.5, 6.5, 0.05):
            bag.odometry(t, p=on_circle(t), q=yaw(0.5 * t))
    report, (episode,) = imported(tmp_path / "bag", tmp_path / "out")
    assert "poses" in report["motion"]["how"]
    np.testing.assert_allclose(episode.motion, np.tile([0.4, 0.5], (len(episode), 1)), atol=1e-3)


@pytest.mark.parametrize("turning", [False, True])
def test_a_camera_carried_straight_and_around(tmp_path, turning):
    rate = 0.5 if turning else 0.0
    with BagMaker(tmp_path / "bag") as bag:
        bag.frames(0.0, ("base_link", "camera_optical", (0.1, 0.0, 0.3), OPTICAL), topic="/tf_static")
        for t in np.arange(0, 6, 0.1):
            bag.image(t)
            if turning:
                bag.camera_info(t)
        for t in np.arange(-0.5, 6.5, 0.02):
            place = on_circle(t) if turning else (0.4 * t, 0, 0)
            bag.frames(t, ("odom", "base_link", place, yaw(rate * t)))
            bag.frames(t, ("map", "odom", (3.0 if t > 3 else 0.0, 0, 0), (0, 0, 0, 1)))
    report, (episode,) = imported(tmp_path / "bag", tmp_path / "out")
    assert "'camera_optical' in 'odom'" in report["motion"]["how"]  # the map's jump is not seen
    # Forward is the eye's z. Turning left is -y, and swings the camera, 0.1 m ahead, to the left.
    want = [-0.1 * rate, 0, 0.4, 0, -rate, 0]
    np.testing.assert_allclose(episode.motion, np.tile(want, (len(episode), 1)), atol=2e-4)
    assert episode.labels["camera_pose"].shape == (len(episode), 7)
    first = episode.labels["camera_pose"][0]
    at = episode.frames[0, 0, 0, 0] / 10
    if not turning:
        np.testing.assert_allclose(first, [0.1 + 0.4 * at, 0, 0.3, *OPTICAL], atol=1e-6)
    assert episode.space == "mine_camera"
    # What moves is the optical frame itself, so the camera's place in it is no question.
    lacking = [note for note in report["notes"] if "no camera_info beside it" in note]
    if turning:
        camera = PinholeCamera.from_dict(episode.camera)
        np.testing.assert_array_equal(camera.world_from_optical, np.eye(4))
        assert (camera.width, camera.height) == (64, 64) and not lacking
        assert camera_moved_is_measured(episode, camera)
    else:
        assert episode.camera is None and len(lacking) == 1


def camera_moved_is_measured(episode, camera):
    """The way that the motion says is the one that the measured poses say, at frames that were taken
    when they should: every other one, from a camera of 10 Hz."""
    space = CameraSpace.fit("mine_camera", episode.motion_names, [episode.motion])
    travel = MovingCamera(camera, np.ones((1, 1))).camera_poses(space, episode.motion.astype(float), episode.dt_s)
    poses = episode.labels["camera_pose"].astype(float)
    turn = rotation_matrix(poses[:, 3:])
    away = (poses[1:, :3] - poses[0, :3]) @ turn[0]
    return np.abs(travel[:, :3, 3] - away)[1:-1:2].max() < 1e-3


def test_the_camera_on_a_mobile_base_is_known_in_its_frame(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        bag.frames(0.0, ("base_link", "camera_optical", (0.2, 0.0, 0.3), OPTICAL), topic="/tf_static")
        for t in np.arange(0, 6, 0.1):
            bag.image(t)
            bag.camera_info(t)
            bag.twist(t, 0.5, 0.1)
    _, (episode,) = imported(tmp_path / "bag", tmp_path / "out", camera_pose={"from_tf": "base_link"})
    camera = PinholeCamera.from_dict(episode.camera)
    assert episode.space == "mine_twist"
    np.testing.assert_allclose(camera.world_from_optical[:3, 3], [0.2, 0, 0.3])
    np.testing.assert_allclose(camera.world_from_optical[:3, 2], [1, 0, 0], atol=1e-9)  # it looks ahead


def test_displacement_is_the_inverse_of_moving_along_a_screw():
    rng = np.random.default_rng(1)
    velocity, spin = rng.normal(size=(2, 50, 3))
    start = (rng.normal(size=(50, 3)), from_rotation_vector(rng.normal(size=(50, 3))))
    end = start
    for _ in range(2000):  # small steps in the body's own frame
        end = compose(end, (velocity / 2000, from_rotation_vector(spin / 2000)))
    moved = body_displacement(start, end)
    small = np.linalg.norm(spin, axis=1) < np.pi
    np.testing.assert_allclose(moved[small], np.hstack([velocity, spin])[small], atol=2e-3)
    back = compose(inverse(end), end)
    np.testing.assert_allclose(back[0], 0, atol=1e-9)
    np.testing.assert_allclose(rotation_vector(back[1]), 0, atol=1e-7)


def test_a_fixed_camera_and_the_robots_description(tmp_path):
    (tmp_path / "robot.urdf").write_text('<robot name="r"><joint name="j1"/></robot>')
    with BagMaker(tmp_path / "bag") as bag:
        bag.frames(
            0.0,
            ("base", "mount", (1.0, 0, 0.5), (0, 0, 0, 1)),
            ("mount", "camera_optical", (0, 0, 0), OPTICAL),
            topic="/tf_static",
        )
        for t in np.arange(0, 6, 0.1):
            bag.image(t, size=(96, 128))
            bag.camera_info(t, size=(96, 128), focal=100.0)
            bag.joints(t, j1=t, j2=0.0)
    report, (episode,) = imported(
        tmp_path / "bag", tmp_path / "out", urdf=tmp_path / "robot.urdf", camera_pose={"from_tf": "base"}
    )
    camera = PinholeCamera.from_dict(episode.camera)
    assert camera.fx == pytest.approx(100 * 64 / 96)  # 128 x 96, cut to 96 x 96, made 64 x 64
    pixels, depth = camera.project([[3.0, 0, 0.5]])  # 2 m ahead, on the optical axis
    np.testing.assert_allclose(pixels, [[31.5, 31.5]], atol=1e-6)
    np.testing.assert_allclose(depth, [2.0])
    assert (tmp_path / "out" / "mine.urdf").read_text() == (tmp_path / "robot.urdf").read_text()
    assert any("no joint j2" in note for note in report["notes"])
    # It may also be given later, to what is imported already.
    imported(tmp_path / "bag", tmp_path / "later", camera_pose={"from_tf": "base"})
    settings = replace(SETTINGS, camera_pose={"from_tf": "base"}, urdf=tmp_path / "robot.urdf")
    assert import_bag(tmp_path / "bag", tmp_path / "later", settings)
    assert (tmp_path / "later" / "mine.urdf").is_file() and len(list_episodes(tmp_path / "later")) == 1
    assert import_bag(tmp_path / "bag", tmp_path / "later", settings) is None
    # The same pose, given in numbers
    given = {"position": [1.0, 0, 0.5], "quaternion": list(OPTICAL)}
    _, (again,) = imported(tmp_path / "bag", tmp_path / "out2", camera_pose=given)
    same = PinholeCamera.from_dict(again.camera)
    np.testing.assert_allclose(same.matrix, camera.matrix, atol=1e-9)
    (tmp_path / "robot.urdf").write_text(
        '<robot name="r"><link name="world"/><link name="base"/><joint name="j1"><parent link="world"/>'
        '<child link="base"/></joint></robot>'
    )
    with pytest.raises(BagError) as error:
        import_bag(
            tmp_path / "bag",
            tmp_path / "out3",
            replace(SETTINGS, urdf=tmp_path / "robot.urdf", camera_pose={"from_tf": "base"}),
        )
    assert error.value.thing == "camera_pose" and error.value.cure.endswith("from_tf: world")
    assert "'base'" in error.value.problem and "robot.urdf" in error.value.problem
    (tmp_path / "robot.urdf").write_text('<robot name="other"/>')
    with BagMaker(tmp_path / "bag2") as bag:
        for t in np.arange(0, 6, 0.1):
            bag.image(t)
            bag.joints(t, j1=0.2 * t, j2=0.1)
    with pytest.raises(BagError) as error:
        import_bag(tmp_path / "bag2", tmp_path / "out", replace(SETTINGS, urdf=tmp_path / "robot.urdf"))
    assert error.value.thing == str(tmp_path / "out/mine.urdf") and "`force`" in error.value.cure


def test_long_bags_become_even_episodes(tmp_path):
    bag = arm_bag(tmp_path / "bag", seconds=31)
    report, episodes = imported(bag, tmp_path / "out", episode_s=15)
    assert [len(episode) for episode in episodes] == [42, 42, 41]
    assert report["cuts"] == []
    # The next begins a step after the last.
    starts = [episode.source["start_ns"] / 1e9 - T0 for episode in episodes]
    np.testing.assert_allclose(np.diff(starts), 42 * 0.25, atol=0.13)
