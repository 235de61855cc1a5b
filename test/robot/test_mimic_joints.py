"""Joints that follow others: along a chain, given or held, in a circle, or after a name that is not there."""

import re

import numpy as np
import pytest

from astra_ros.robot.kinematics import KinematicsError, LinkPoses, ToolPath

pytest.importorskip("yourdfpy")

LIMIT = '<limit lower="-3" upper="3" effort="1" velocity="1"/>'
CHAIN = f"""<robot name="fingers"><link name="base"/><link name="a"/><link name="b"/><link name="c"/><link name="d"/>
  <joint name="four" type="revolute"><parent link="c"/><child link="d"/><origin xyz="0 0 0.4"/>
    <axis xyz="1 0 0"/>{LIMIT}<mimic joint="three" multiplier="3"/></joint>
  <joint name="one" type="revolute"><parent link="base"/><child link="a"/><origin xyz="0.1 0 0"/>
    <axis xyz="0 0 1"/>{LIMIT}</joint>
  <joint name="two" type="revolute"><parent link="a"/><child link="b"/><origin xyz="0.2 0 0.05"/>
    <axis xyz="0 1 0"/>{LIMIT}<mimic joint="one" multiplier="0.5" offset="0.1"/></joint>
  <joint name="three" type="prismatic"><parent link="b"/><child link="c"/><origin xyz="0 0.3 0"/>
    <axis xyz="1 0 0"/>{LIMIT}<mimic joint="two" multiplier="-2" offset="0.3"/></joint>
</robot>"""
FREE = re.sub("<mimic[^>]*>", "", CHAIN)
ALL = ("one", "two", "three", "four")


def by_hand(one: float) -> list[float]:
    two = 0.5 * one + 0.1
    three = -2 * two + 0.3
    return [one, two, three, 3 * three]


def test_a_chain_is_followed_to_its_end():
    q = np.linspace(-1.5, 1.5, 7)
    followed = LinkPoses(CHAIN, ["one"])(q[:, None])
    np.testing.assert_allclose(followed, LinkPoses(FREE, ALL)([by_hand(one) for one in q]), atol=1e-12)
    # Pinocchio 4.1.0 of FREE with the values by hand, at 0.7 rad (it refuses the chain itself, yourdfpy
    # 0.0.60 leaves all but the first follower at their offset, and PyBullet 3.2.7 leaves all at 0).
    expected = {
        "b": [0.252968437, 0.128843537, 0.05],
        "c": [-0.353516827, 0.010245824, 0.31097932],
        "d": [-0.220444831, 0.12233082, 0.671158161],
    }
    poses = LinkPoses(CHAIN, ["one"])
    at = dict(zip(poses.link_names, poses([0.7])))
    for link, place in expected.items():
        np.testing.assert_allclose(at[link][:3, 3], place, atol=1e-8)
        np.testing.assert_allclose(ToolPath(CHAIN, link, ["one"])([0.7]), place, atol=1e-8)
    turn = [
        [0.688699931, -0.177612013, -0.702955459],
        [0.58008395, -0.446658017, 0.681174887],
        [-0.434965534, -0.876898277, -0.204583468],
    ]
    np.testing.assert_allclose(at["d"][:3, :3], turn, atol=1e-8)


def test_the_first_joint_of_a_chain_may_be_held_or_at_rest():
    moved = LinkPoses(CHAIN, ["one"])
    np.testing.assert_allclose(LinkPoses(CHAIN, [], {"one": 0.7})([]), moved([0.7]), atol=1e-12)
    np.testing.assert_allclose(LinkPoses(CHAIN, [])([]), moved([0.0]), atol=1e-12)
    assert LinkPoses(CHAIN, ["one"]).chain_depth.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("held", [False, True])
def test_followers_that_are_given_without_their_leader_count(held):
    def poses(joint, value, text=CHAIN):
        return LinkPoses(text, [], {joint: value})([]) if held else LinkPoses(text, [joint])([value])

    # The second is given, the first rests at 0; the third and fourth follow the second.
    expected = LinkPoses(FREE, ALL)([0.0, 0.2, -0.1, -0.3])
    np.testing.assert_allclose(poses("two", 0.2), expected, atol=1e-12)
    # The last alone: the others are where the resting first one puts them.
    one, two, three, _ = by_hand(0.0)
    np.testing.assert_allclose(poses("four", 0.9), LinkPoses(FREE, ALL)([one, two, three, 0.9]), atol=1e-12)


def test_the_rule_counts_where_leader_and_follower_are_given():
    expected = LinkPoses(CHAIN, ["one"])([0.7])
    np.testing.assert_allclose(LinkPoses(CHAIN, ["three", "one"])([9.0, 0.7]), expected, atol=1e-12)
    np.testing.assert_allclose(LinkPoses(CHAIN, ["one"], {"two": 9.0})([0.7]), expected, atol=1e-12)


@pytest.mark.parametrize("leader, names", [("four", "one -> four -> three -> two"), ("one", "one -> one")])
def test_a_circle_is_refused_by_name(leader, names):
    circle = CHAIN.replace(f'<axis xyz="0 0 1"/>{LIMIT}', f'<axis xyz="0 0 1"/>{LIMIT}<mimic joint="{leader}"/>')
    for make in (lambda: LinkPoses(circle, []), lambda: ToolPath(circle, "d", ["one"])):
        with pytest.raises(KinematicsError) as caught:
            make()
        assert "circle" in caught.value.problem and "<mimic>" in caught.value.cure
        assert all(word in caught.value.problem for word in names.split(" -> "))


def test_a_leader_that_is_no_joint_is_refused_by_name():
    unknown = CHAIN.replace('<mimic joint="one"', '<mimic joint="nine"')
    for make in (lambda: LinkPoses(unknown, ["one"]), lambda: ToolPath(unknown, "b", ["one"])):
        with pytest.raises(KinematicsError) as caught:
            make()
        assert "'two'" in caught.value.problem and "'nine'" in caught.value.problem and "one" in caught.value.cure
    # What is on no way to the tool does not matter to it.
    assert ToolPath(unknown, "a", ["one"])([0.3]).shape == (3,)


def test_a_tool_whose_first_mover_is_not_given_is_refused():
    with pytest.raises(KinematicsError) as caught:
        ToolPath(CHAIN, "d", [])
    assert "'one'" in caught.value.problem and "'d'" in caught.value.problem


def test_a_joint_that_is_nowhere_is_refused():
    with pytest.raises(KinematicsError) as caught:
        LinkPoses(CHAIN.replace("0.2 0 0.05", "0.2 nan 0.05"), ["one"])
    assert "'two'" in caught.value.problem and "origin" in caught.value.problem
