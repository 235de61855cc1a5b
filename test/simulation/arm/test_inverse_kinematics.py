"""Kinematics and robot descriptions against PyBullet's own, and inverse against forward."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pybullet
import pytest

from astra_ros.simulation.arm.inverse_kinematics import ArmKinematics, downward, tool_yaw
from astra_ros.simulation.arm.robots import ROBOTS, robot_description


def test_forward_agrees_with_pybullet(world):
    rng = np.random.default_rng(0)
    world.reset(0)
    for _ in range(5):
        joints = np.array(world.spec.ready) + rng.uniform(-0.4, 0.4, 7)
        world._set_arm(joints)
        state = pybullet.getLinkState(
            world._bodies["arm"], world._tool_link, computeForwardKinematics=1, physicsClientId=world._session.client
        )
        pose = world.kinematics.forward(joints)
        rotation = np.reshape(pybullet.getMatrixFromQuaternion(state[5]), (3, 3))
        np.testing.assert_allclose(pose[:3, 3], state[4], atol=1e-6)
        np.testing.assert_allclose(pose[:3, :3], rotation, atol=1e-6)


def test_the_chain_of_joints_ends_at_ready_pointing_down(world):
    pose = world.kinematics.forward(world.spec.ready)
    assert pose[2, 2] < -0.99
    assert 0.25 < pose[2, 3] < 0.4 and 0.3 < pose[0, 3] < 0.45 and abs(pose[1, 3]) < 1e-3


@pytest.mark.parametrize("yaw", [-1.2, 0.0, 1.2])
def test_solve_reaches_places_on_the_table(world, yaw):
    kinematics = world.kinematics
    base = tool_yaw(kinematics.forward(world.spec.ready))
    for place in [(0.45, 0.0, 0.02), (0.5, 0.25, 0.1), (0.65, -0.25, 0.05), (0.7, 0.1, 0.17)]:
        joints, error = kinematics.solve(place, base + yaw, world.spec.ready)
        pose = kinematics.forward(joints)
        assert error < 1e-3
        np.testing.assert_allclose(pose[:3, 3], place, atol=1e-3)
        np.testing.assert_allclose(pose[:3, :3], downward(base + yaw), atol=0.03)
        assert (joints >= kinematics.lower).all() and (joints <= kinematics.upper).all()


def test_out_of_reach_gives_the_nearest_place_and_says_how_far_it_is(world):
    joints, error = world.kinematics.solve((1.5, 0.0, 0.1), 0.0, world.spec.ready)
    there = world.kinematics.forward(joints)[:3, 3]
    assert error == pytest.approx(np.linalg.norm(there - (1.5, 0.0, 0.1)), abs=1e-6)
    assert error > 0.3 and np.isfinite(joints).all()


def test_a_path_is_solved_without_jumps(world):
    yaw = tool_yaw(world.kinematics.forward(world.spec.ready))
    path = np.linspace((0.5, -0.25, 0.05), (0.6, 0.25, 0.05), 21)
    start, _ = world.kinematics.solve(path[0], yaw, world.spec.ready)
    joints, worst = world.kinematics.solve_path(path, np.full(21, yaw), start)
    assert worst < 1e-3
    assert np.abs(np.diff(joints, axis=0)).max() < 0.2  # 2.5 cm a step at half a metre's lever


def test_downward_points_down_and_along_its_yaw():
    # Yaw 90 degrees: x along +y, z along -z, and so y along +x.
    expected = [[0, 1, 0], [1, 0, 0], [0, 0, -1]]
    np.testing.assert_allclose(downward(np.pi / 2), expected, atol=1e-12)
    pose = np.eye(4)
    pose[:3, :3] = downward(0.7)
    assert tool_yaw(pose) == pytest.approx(0.7)


@pytest.mark.parametrize("name", sorted(ROBOTS))
def test_descriptions_hold_the_tool_and_meshes_that_exist(name):
    for coarse in (False, True):
        robot = ElementTree.fromstring(robot_description(ROBOTS[name], coarse=coarse))
        links = {link.get("name") for link in robot.iter("link")}
        assert ROBOTS[name].tool_link in links
        files = [mesh.get("filename") for mesh in robot.iter("mesh")]
        assert files and all(Path(file.removeprefix("file://")).is_file() for file in files)
    bare = ElementTree.fromstring(robot_description(ROBOTS[name], shapes=False))
    assert not list(bare.iter("visual")) and not list(bare.iter("collision"))


@pytest.mark.parametrize("name", sorted(ROBOTS))
def test_ready_is_within_the_joint_limits(name):
    spec = ROBOTS[name]
    kinematics = ArmKinematics(spec)
    assert (kinematics.lower < spec.ready).all() and (kinematics.upper > spec.ready).all()
    count = len(spec.joint_names)
    assert len(spec.ready) == len(spec.max_force) == len(spec.max_speed) == count
