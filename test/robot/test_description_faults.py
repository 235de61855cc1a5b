"""A robot description that cannot be read: what is wrong is said in its own words, and nothing is printed."""

import pytest

from astra_ros.robot.description_faults import fault
from astra_ros.robot.kinematics import KinematicsError, parse_urdf

LINKS = '<link name="a"/><link name="b"/>'


def joint(inside='<parent link="a"/><child link="b"/>', type_='type="revolute"'):
    return f'<robot name="r">{LINKS}<joint name="j1" {type_}>{inside}</joint></robot>'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('<robot name="r"><link name="a"/><link name="b"', "not XML"),
        ('<robot name="r"><link name="a"></robot>', "mismatched tag"),
        ("", "not XML"),
        ('<robot name="r"><link name="a"/><link/></robot>', "link number 2 has no name"),
        (f'<robot name="r">{LINKS}<joint type="fixed"/></robot>', "joint number 1 has no name"),
        (joint('<parent link="a"/>'), "joint 'j1' has no child link"),
        (joint('<parent link="a"/><child link="b"/><axis xyz="0 zero 1"/>'), "xyz of <axis> is '0 zero 1'"),
    ],
)
@pytest.mark.parametrize("coded", [str, str.encode], ids=["text", "bytes"])
def test_what_is_wrong_is_said_of_the_description(text, words, coded, capfd, caplog):
    with pytest.raises(KinematicsError) as error:
        parse_urdf(coded(text))
    assert error.value.thing == "robot description" and error.value.cure
    assert words in error.value.problem and "Error(" not in str(error.value)
    assert capfd.readouterr() == ("", "") and not caplog.records
    assert words in fault(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (joint('<parent/><child link="b"/>'), "joint 'j1' has no parent link"),
        (joint(type_=""), "joint 'j1' has no type"),
        ("<robot><link name='a'/></robot>", "<robot> has no name"),
        ("<sdf/>", "<sdf>, not <robot>"),
    ],
)
def test_what_a_description_lacks_is_found(text, words):
    assert words in fault(text)


def test_what_a_converter_leaves_behind_is_no_fault():
    robot = parse_urdf('  <robot name="r"><link name="a"/><xacro:nothing/></robot>')
    assert [link.name for link in robot.links] == ["a"] and fault(joint()) == ""
