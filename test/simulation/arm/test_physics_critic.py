"""The physics critic against distances by hand, what it lacks, and what it says."""

import numpy as np
import pytest

from astra_ros.critics import CriticInput, load_critic
from astra_ros.inference.imagination import Imagination
from astra_ros.obstacles import KnownObstacle, ObstacleError, read_obstacles
from astra_ros.plans.action_spaces.joints import JointSpace
from astra_ros.plans.action_spaces.twist import TwistSpace
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.simulation.arm.plan_contacts import REACH_M

# A beam of 1 m along x that turns about z at its end; a second one of 0.5 m hangs at its tip, turning too. Box beams
# 0.1 m wide and high. The hand's mesh does not exist.
URDF = """<robot name="beams">
  <link name="base"><collision><geometry><box size="0.1 0.1 0.1"/></geometry></collision></link>
  <link name="upper">
    <inertial><origin xyz="0.5 0 0"/><mass value="2"/><inertia ixx="0.1" iyy="0.1" izz="0.1" ixy="0" ixz="0" iyz="0"/>
    </inertial>
    <collision><origin xyz="0.55 0 0"/><geometry><box size="0.9 0.1 0.1"/></geometry></collision></link>
  <link name="lower">
    <inertial><origin xyz="0.25 0 0"/><mass value="1"/><inertia ixx="0.1" iyy="0.1" izz="0.1" ixy="0" ixz="0" iyz="0"/>
    </inertial>
    <collision><origin xyz="0.3 0 0"/><geometry><box size="0.4 0.1 0.1"/></geometry></collision></link>
  {hand}
  <joint name="a" type="continuous"><parent link="base"/><child link="upper"/><axis xyz="{axis}"/>
    <limit effort="20" velocity="2"/></joint>
  <joint name="b" type="continuous"><parent link="upper"/><child link="lower"/><origin xyz="1 0 0"/><axis xyz="{axis}"/>
    <limit effort="20" velocity="2"/></joint>
</robot>"""
HAND = """<link name="hand"><collision><geometry><mesh filename="/nowhere/hand.stl"/></geometry></collision></link>
  <joint name="hand_mount" type="fixed"><parent link="lower"/><child link="hand"/></joint>"""
ARM = JointSpace("beams_joints", ("a", "b"), (0.0, 0.0), (1.0, 1.0), (1.0, 1.0))
DT_S = 0.25


def urdf(axis="0 0 1", hand=""):
    return URDF.format(axis=axis, hand=hand)


def given(ends, obstacles=(), description=urdf(), space=ARM, seconds=2.0, **more):
    """K plans from 0 to `ends` [K, 2] rad at constant speed."""
    steps, ends = round(seconds / DT_S), np.atleast_2d(np.array(ends, float))
    plans = [JointPlan(ARM.motion_names, np.array([0.0, seconds]), np.array([0 * end, end])) for end in ends]
    motion = np.stack([plan.motion(np.arange(steps + 1) * DT_S) for plan in plans])
    made = Imagination(np.zeros((len(ends), steps, 1, 1, 1)), np.zeros((len(ends), steps)))
    known = dict(robot_description=description, obstacles=tuple(obstacles), plans=plans)
    return CriticInput(made, motion, space, DT_S, np.zeros((1, 1, 1)), **known | more)


def critic(**settings):
    kind = load_critic("physics")
    return kind(kind.settings_class(**settings))


def test_contact_is_found_with_links_obstacle_and_time():
    # The upper beam turns by 1 rad/s. A post of radius 0.05 m stands at 0.5 m in the direction of 1 rad; the beam's
    # half width is 0.05 m. They touch where 0.5 sin(1 - t) = 0.1, t = 1 - asin(0.2) = 0.799 s.
    post = KnownObstacle("post", "cylinder", (0.05, 1.0), (0.5 * np.cos(1.0), 0.5 * np.sin(1.0), 0.0))
    inp = given([[2.0, 0.0], [-2.0, 0.0]], [post])
    assert critic().missing(inp) is None
    result = critic().score(inp)
    assert result.veto.tolist() == [True, False] and result.cost.tolist() == [1.0, 0.0]
    assert abs(result.raw[0]) < 0.015 and result.raw[1] == pytest.approx(REACH_M)
    told = result.reasons[0]
    assert "upper" in told and "'post'" in told and "0.80 s" in told
    assert not critic(veto=False).score(inp).veto.any()


def test_least_distance_by_hand():
    # The tip of the straight arm is at x = 1.5 m at its start, a wall's face at 1.54 m. A corner of the tip, 0.05 m
    # aside, first comes nearer as the arm turns by 0.5 rad/s: sqrt(1.5^2 + 0.05^2) = 1.5008 after 0.033 rad, 0.067 s.
    wall = KnownObstacle("wall", "box", (0.2, 1.0, 1.0), (1.64, 0.0, 0.0))
    result = critic(margin=0.05).score(given([[1.0, 0.0]], [wall]))
    assert result.raw[0] == pytest.approx(0.0392, abs=2e-4)
    assert result.cost[0] == pytest.approx(1 - 0.0392 / 0.05, abs=0.01) and result.risky[0] and not result.veto[0]
    assert "lower" in result.reasons[0] and "at 0.06 s" in result.reasons[0]
    assert not critic(margin=0.01).score(given([[1.0, 0.0]], [wall])).risky[0]


@pytest.mark.parametrize(
    "obstacle",
    [
        KnownObstacle("x", "sphere", (0.1,), (1.64, 0.0, 0.0)),
        KnownObstacle("x", "cylinder", (0.1, 2.0), (1.64, 0.0, 0.0)),
        KnownObstacle("x", "box", (2.0, 1.0, 0.2), (1.64, 0.0, 0.0), (0.0, np.sqrt(0.5), 0.0, np.sqrt(0.5))),
        KnownObstacle("x", "points", (), (1.0, 0.0, 0.0), points=np.array(
            [[0.54, y, z] for y in (-1, 1) for z in (-1, 1)] + [[2.0, 0.0, 0.0]], float)),
    ],
    ids=lambda each: each.shape,
)  # fmt: skip
def test_every_shape_is_where_it_was_put(obstacle):
    assert critic().score(given([[0.0, 0.0]], [obstacle])).raw[0] == pytest.approx(0.04, abs=2e-4)


def test_the_arm_itself_is_an_obstacle():
    # A base of 1.6 m along x, and an upper beam without a shape: folded back by pi, the lower beam lies on the base.
    shape = '<collision><origin xyz="0.55 0 0"/><geometry><box size="0.9 0.1 0.1"/></geometry></collision>'
    long_base = urdf().replace('size="0.1 0.1 0.1"', 'size="1.6 0.1 0.1"').replace(shape, "")
    inp = given([[1.5, 0.0], [0.0, np.pi]], description=long_base)
    result = critic().score(inp)
    assert result.veto.tolist() == [False, True]
    assert "lower touches base" in result.reasons[1]


def test_what_touches_at_the_start_touches_again_only_where_it_gets_deeper():
    # The beam starts 5 mm deep in a shelf beside it; turning away is fine, turning into it is not.
    shelf = KnownObstacle("shelf", "box", (1.0, 0.2, 0.2), (1.0, 0.145, 0.0))
    result = critic().score(given([[-1.0, 0.0], [1.0, 0.0]], [shelf]))
    assert result.veto.tolist() == [False, True]


def test_the_base_may_stand_on_an_obstacle():
    floor = KnownObstacle("floor", "box", (0.2, 0.2, 0.1), (0.0, 0.0, -0.1))
    assert not critic().score(given([[1.0, 0.0]], [floor])).veto.any()


def test_effort_by_hand():
    # Both beams straight along x and turning about y: gravity alone needs 9.81 (2 * 0.5 + 1 * 1.25) = 22.07 Nm of
    # joint a, which is 110 % of 20 Nm.
    level = given([[0.0, 0.0]], description=urdf("0 1 0"))
    result = critic().score(level)
    assert "a needs 110%" in result.reasons[0] and result.risky[0] and result.cost[0] == 0.0
    assert not critic(effort_share=1.2).score(level).risky[0]
    # The inertia of a base that is fixed changes nothing, though PyBullet takes its axes for the world's.
    rolled = """<link name="base"><inertial><origin rpy="1.5708 0 0"/><mass value="5"/>
      <inertia ixx="0.1" iyy="0.2" izz="0.3" ixy="0" ixz="0" iyz="0"/></inertial>"""
    same = critic().score(given([[0.0, 0.0]], description=urdf("0 1 0").replace('<link name="base">', rolled)))
    assert same.reasons == result.reasons and same.risky[0]


def test_a_missing_mesh_is_left_out_and_named():
    inp = given([[0.5, 0.0]], description=urdf(hand=HAND))
    assert critic().missing(inp) is None
    assert "hand" in critic().score(inp).reasons[0]


def test_motion_between_the_models_times_counts():
    # At the model's times, 0.25 s apart, the arm is at 0; between 0.05 and 0.2 s it turns by 0.3 rad and back.
    way = JointPlan(("a", "b"), np.array([0.0, 0.12, 0.25]), np.array([[0.0, 0], [0.3, 0], [0.0, 0]]))
    post = KnownObstacle("post", "sphere", (0.05,), (0.5 * np.cos(0.3), 0.5 * np.sin(0.3), 0.0))
    plain = given([[0.0, 0.0]], [post], plans=())
    assert not critic().score(plain).veto[0]
    assert critic().score(given([[0.0, 0.0]], [post], plans=(way,))).veto[0]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (dict(description=None), "robot description"),
        (dict(description="<robot"), "XML"),
        (dict(description=urdf().replace('name="b"', 'name="c"')), "joint b"),
        (dict(description='<robot name="r"><link name="base"/></robot>'), "joint"),
        (dict(obstacles=[KnownObstacle("shelf", "mesh", (1.0, 1.0, 1.0), mesh="/nowhere/shelf.stl")]), "shelf"),
    ],
)
def test_what_it_lacks_is_said(changes, named):
    assert named in critic().missing(given([[1.0, 0.0]], **changes))


def test_bases_are_not_for_it():
    base = TwistSpace("car_twist", ("linear.x", "angular.z"), (1.0, 1.0), (1.0, 1.0))
    assert "base" in critic().missing(given([[1.0, 0.0]], space=base))


def test_obstacles_of_a_file(tmp_path):
    path = tmp_path / "cell.yaml"
    path.write_text(
        "obstacles:\n"
        "  - {name: table, box: [1, 2, 0.1], xyz: [0, 0, -0.05]}\n"
        "  - {name: post, cylinder: {radius: 0.05, length: 1}, xyz: [0.27, 0.42, 0], rpy: [0, 0, 1.5708]}\n"
        "  - {name: ball, sphere: {radius: 0.1}, xyz: [5, 0, 0]}\n"
        "  - {name: shelf, mesh: {filename: /cell/shelf.stl, scale: [1, 1, 2]}}\n"
    )
    table, post, ball, shelf = read_obstacles(path)
    assert table.size == (1, 2, 0.1) and post.size == (0.05, 1) and ball.size == (0.1,) and shelf.size == (1, 1, 2)
    np.testing.assert_allclose(post.quaternion, [0, 0, np.sqrt(0.5), np.sqrt(0.5)], atol=1e-5)
    assert shelf.mesh == "/cell/shelf.stl" and table.xyz == (0, 0, -0.05)
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    found = critic(obstacles=str(path)).score(given([[2.0, 0.0]]))
    assert found.veto[0] and "'post'" in found.reasons[0]


@pytest.mark.parametrize(
    ("text", "thing"),
    [
        ("", "cell.yaml"),
        ("obstacles: 3", "cell.yaml"),
        ("obstacles: [{]", "cell.yaml"),
        ("other: []", "cell.yaml"),
        ("obstacles: [5]", "obstacle 0"),
        ("obstacles: [{name: a, cone: [1, 2]}]", "obstacle 'a'"),
        ("obstacles: [{name: a, box: [1, 2]}]", "obstacle 'a'"),
        ("obstacles: [{name: a, box: [1, 2, .nan]}]", "obstacle 'a'"),
        ("obstacles: [{name: a, box: [1, 2, 0]}]", "obstacle 'a'"),
        ("obstacles: [{name: a, box: [1, 2, x]}]", "obstacle 'a'"),
        ("obstacles: [{name: a, sphere: 1}]", "obstacle 'a'"),
        ("obstacles: [{name: a, box: [1, 2, 3], xyz: [.inf, 0, 0]}]", "obstacle 'a'"),
        ("obstacles: [{name: a, box: [1, 2, 3], rpy: [0, 0]}]", "obstacle 'a'"),
        ("obstacles: [{name: a, box: [1, 2, 3]}, {name: a, box: [1, 2, 3]}]", "cell.yaml"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path, text, thing):
    path = tmp_path / "cell.yaml"
    path.write_text(text)
    with pytest.raises(ObstacleError) as error:
        read_obstacles(path)
    assert thing in error.value.thing and error.value.cure
    told = critic(obstacles=str(path)).missing(given([[1.0, 0.0]]))
    assert thing in told


def test_a_file_that_is_not_there():
    assert "nowhere.yaml" in critic(obstacles="/nowhere.yaml").missing(given([[1.0, 0.0]]))
