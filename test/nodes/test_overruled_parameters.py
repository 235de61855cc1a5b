"""Parameters of the command line that a parameters file overrules, as ROS does it."""

import pytest

rclpy = pytest.importorskip("rclpy")

from rclpy.node import Node  # noqa: E402

from astra_ros.nodes.overruled_parameters import overruled, warn_of_overruled, without_node  # noqa: E402

SECTION = "/**/imagine:\n  ros__parameters:\n    horizon: 16\n    goal: {weight: 1.0}\n    names: [a, b]\n"
SECTION += "    world: table\n"


def warnings_of(tmp_path, capfd, *args):
    """What a node of this command line warns of; FILE is a file with a section for it."""
    file = tmp_path / "mine.yaml"
    file.write_text(SECTION)
    args = ["imagine", "--ros-args", *(str(file) if arg == "FILE" else arg for arg in args)]
    context = rclpy.Context()
    rclpy.init(args=args, context=context)
    node = Node("imagine", context=context)
    warn_of_overruled(node, args)
    node.destroy_node()
    context.try_shutdown()
    return [line for line in capfd.readouterr().err.splitlines() if "without effect" in line]


FILE = ("--params-file", "FILE")


def test_what_a_file_overrules_is_named_once_with_both_values_and_the_cure(tmp_path, capfd):
    said = warnings_of(tmp_path, capfd, "-p", "model:=mine", *FILE, "-p", "horizon:=24", "-p", "goal.weight:=2")
    assert len(said) == 2
    assert "'horizon' is 16" in said[0] and "-p horizon:=24" in said[0] and "-p imagine:horizon:=" in said[0]
    assert "'goal.weight' is 1.0" in said[1]


@pytest.mark.parametrize("args", [
    (*FILE, "-p", "model:=mine", "-p", "horizon:=24"),
    ("-p", "model:=mine", *FILE, "-p", "imagine:horizon:=24"),
    ("-p", "horizon:=24"),
    ("-p", "horizon:=16", "-p", "goal.weight:=1", "-p", "names:=[a, b]", "-p", "world:='table'", *FILE),
    FILE,
])  # fmt: skip
def test_nothing_is_said_where_nothing_is_lost(tmp_path, capfd, args):
    assert warnings_of(tmp_path, capfd, *args) == []


def test_only_what_is_for_ros_and_names_no_node_is_looked_at():
    args = ["imagine", "-p", "a:=1", "--ros-args", "-p", "b:=2", "--param", "b:=3", "-p", "n:c:=4", "-p", "odd"]
    assert without_node([*args, "--", "-p", "d:=5", "--ros-args", "-p", "e:=x:=y", "-p"]) == {"b": "3", "e": "x:=y"}


def test_a_value_that_is_no_yaml_is_compared_as_it_stands():
    assert overruled(["--ros-args", "-p", "a:=[1"], "n", {"a": "[1"}) == []
    assert len(overruled(["--ros-args", "-p", "a:=[1"], "n", {"a": "x"})) == 1
    assert overruled(["--ros-args", "-p", "a:=[]"], "n", {"a": None}) == []
