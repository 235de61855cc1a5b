"""ToolPath against PyBullet, against hand-derived numbers, and its errors."""

from pathlib import Path

import numpy as np
import pytest

from astra_ros.robot.kinematics import KinematicsError, ToolPath

pytest.importorskip("yourdfpy")

# Two links of 1 m in the plane, a slider along the tool, and a hand that only follows.
ARM = """<robot name="planar">
  <link name="base"/><link name="upper"/><link name="lower"/><link name="slide"/><link name="tool"/>
  <joint name="shoulder" type="revolute"><parent link="base"/><child link="upper"/>
    <origin xyz="0 0 0.5"/><axis xyz="0 0 2"/>
    <limit lower="-3" upper="3" effort="1" velocity="1"/></joint>
  <joint name="elbow" type="continuous"><parent link="upper"/><child link="lower"/>
    <origin xyz="1 0 0"/><axis xyz="0 0 1"/></joint>
  <joint name="slider" type="prismatic"><parent link="lower"/><child link="slide"/>
    <origin xyz="1 0 0"/><axis xyz="0 0 -1"/>
    <limit lower="0" upper="1" effort="1" velocity="1"/></joint>
  <joint name="flange" type="fixed"><parent link="slide"/><child link="tool"/>
    <origin xyz="0.1 0 0" rpy="0 0 1"/></joint>
</robot>"""
JOINTS = ("shoulder", "elbow", "slider")


def test_planar_arm_by_hand():
    path = ToolPath(ARM, "tool", JOINTS)
    # Straight: 1 + 1 + 0.1 along x. Elbow at 90 degrees: x 1, y 1.1. Both at 90: x -1.1, y 1.
    # The slider goes down from z = 0.5.
    q = [[0, 0, 0], [0, np.pi / 2, 0.2], [np.pi / 2, np.pi / 2, 0]]
    expected = [[2.1, 0, 0.5], [1, 1.1, 0.3], [-1.1, 1, 0.5]]
    np.testing.assert_allclose(path(q), expected, atol=1e-12)
    assert path.base_link == "base"


def test_base_link_and_joint_order():
    path = ToolPath(ARM, "tool", ("slider", "elbow", "shoulder"), "upper")
    # From the upper arm, shoulder has no say: 1 to the elbow, 1.1 at 90 degrees, slider at 0.3.
    np.testing.assert_allclose(path([0.3, np.pi / 2, 1.0]), [1, 1.1, -0.3], atol=1e-12)


@pytest.mark.parametrize(
    "file, prefix, fingers, tool",
    [
        ("franka_panda/panda.urdf", "panda_joint", ("panda_finger_joint1",), "panda_grasptarget"),
        ("kuka_iiwa/model.urdf", "lbr_iiwa_joint_", (), "lbr_iiwa_link_7"),
    ],
)
def test_robots_agree_with_pybullet(file, prefix, fingers, tool):
    pybullet = pytest.importorskip("pybullet")
    pybullet_data = pytest.importorskip("pybullet_data")
    urdf = Path(pybullet_data.getDataPath()) / file
    names = tuple(f"{prefix}{i}" for i in range(1, 8)) + fingers
    q = np.random.default_rng(1).uniform(-1.5, 1.5, (3, 4, len(names)))
    ours = ToolPath(urdf.read_text(), tool, names)(q)
    assert ours.shape == (3, 4, 3)

    client = pybullet.connect(pybullet.DIRECT)
    try:
        body = pybullet.loadURDF(str(urdf), useFixedBase=True, physicsClientId=client)
        infos = [
            pybullet.getJointInfo(body, i, physicsClientId=client)
            for i in range(pybullet.getNumJoints(body, physicsClientId=client))
        ]
        index = {info[1].decode(): info[0] for info in infos}
        link = {info[12].decode(): info[0] for info in infos}[tool]
        for place in np.ndindex(3, 4):
            for name, value in zip(names, q[place]):
                pybullet.resetJointState(body, index[name], value, physicsClientId=client)
            theirs = pybullet.getLinkState(body, link, computeForwardKinematics=True, physicsClientId=client)[4]
            np.testing.assert_allclose(ours[place], theirs, atol=1e-5)
    finally:
        pybullet.disconnect(client)


def test_mimic_joint_follows_its_driver():
    mimic = ARM.replace(
        '<axis xyz="0 0 1"/></joint>', '<axis xyz="0 0 1"/><mimic joint="shoulder" multiplier="-1"/></joint>'
    )
    # The elbow turns back what the shoulder turns: the lower arm always points along x.
    np.testing.assert_allclose(
        ToolPath(mimic, "tool", ("shoulder", "slider"))([np.pi / 2, 0]), [1.1, 1, 0.5], atol=1e-12
    )


@pytest.mark.parametrize(
    "urdf, tool, joints, base, facts",
    [
        ("", "tool", JOINTS, None, ("XML",)),
        ("not a urdf", "tool", JOINTS, None, ("XML",)),
        ("<robot name='a'/>", "tool", JOINTS, None, ("links",)),
        (ARM, "hand", JOINTS, None, ("tool_link", "'hand'", "base, upper")),
        (ARM, "tool", JOINTS, "table", ("base_link", "'table'", "base, upper")),
        (ARM, "upper", JOINTS, "lower", ("'upper'", "'lower'", "'base'")),
        (ARM, "tool", (*JOINTS, "wrist"), None, ("wrist", "shoulder")),
        (ARM, "tool", JOINTS[:2], None, ("'slider'", "'tool'", "shoulder, elbow")),
        (ARM.replace("continuous", "floating"), "tool", JOINTS, None, ("'floating'", "revolute")),
    ],
)
def test_errors_name_what_is_wrong(urdf, tool, joints, base, facts):
    with pytest.raises(KinematicsError) as error:
        ToolPath(urdf, tool, joints, base)
    assert error.value.thing == "robot description" and all(fact in str(error.value) for fact in facts)


def test_wrong_number_of_joints():
    with pytest.raises(KinematicsError) as error:
        ToolPath(ARM, "tool", JOINTS)(np.zeros((2, 2)))
    assert error.value.thing == "joint positions"
    assert all(fact in error.value.problem for fact in ("(2, 2)", "[..., 3]", "shoulder, elbow"))
