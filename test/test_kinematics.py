"""Forward kinematics against positions worked out by hand, and against the simulator."""

import numpy as np
import pytest

from astra_ros.kinematics import KinematicsError, LinkKinematics

TWO_LINKS = """
<robot name="r">
  <link name="base"/><link name="upper"/><link name="lower"/><link name="tip"/><link name="slider"/>
  <joint name="a" type="revolute">
    <parent link="base"/><child link="upper"/><origin xyz="0 0 1"/><axis xyz="0 0 1"/>
  </joint>
  <joint name="b" type="continuous">
    <parent link="upper"/><child link="lower"/><origin xyz="2 0 0"/><axis xyz="0 0 1"/>
  </joint>
  <joint name="flange" type="fixed">
    <parent link="lower"/><child link="tip"/><origin xyz="1 0 0" rpy="0 0 1.5707963267948966"/>
  </joint>
  <joint name="c" type="prismatic">
    <parent link="tip"/><child link="slider"/><axis xyz="1 0 0"/>
  </joint>
</robot>
"""


def test_two_links_in_the_plane():
    arm = LinkKinematics(TWO_LINKS, "tip")
    assert arm.root == "base" and arm.joint_names == ("a", "b")
    half = np.pi / 2
    # Stretched; the shoulder turned left; the elbow bent back on top of that.
    joints = np.array([[0.0, 0.0], [half, 0.0], [half, half]])
    expected = [[3, 0, 1], [0, 3, 1], [-1, 2, 1]]
    np.testing.assert_allclose(arm.positions(("a", "b"), joints), expected, atol=1e-12)


def test_a_slider_moves_along_the_turned_flange():
    arm = LinkKinematics(TWO_LINKS, "slider")
    np.testing.assert_allclose(arm.positions(("c", "b", "a"), [0.5, 0.0, 0.0]), [3, 0.5, 1])


def test_what_is_missing_is_named():
    with pytest.raises(KinematicsError, match="no link 'hand'.*tip"):
        LinkKinematics(TWO_LINKS, "hand")
    with pytest.raises(KinematicsError, match="joints b"):
        LinkKinematics(TWO_LINKS, "tip").positions(("a",), np.zeros(1))
    with pytest.raises(KinematicsError, match="no XML"):
        LinkKinematics("package://robot.urdf", "tip")


@pytest.mark.parametrize("robot", ["panda", "kuka"])
def test_agrees_with_the_simulator(robot):
    pytest.importorskip("pybullet")
    from astra_ros.simulation.arm_world import ArmWorld, ArmWorldSettings
    from astra_ros.simulation.robots import robot_description

    with ArmWorld(ArmWorldSettings(robot=robot)) as world:
        state = world.state()
        arm = LinkKinematics(robot_description(world.spec), world.spec.tool_link)
        tool = arm.positions(world.spec.joint_names, state.joint_positions)
        np.testing.assert_allclose(tool, state.tool_position, atol=1e-5)
