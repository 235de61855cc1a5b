"""The nodes of explore.launch.py."""

import pytest

from astra_ros.nodes.client.explore_specs import EXPLORE_ARGUMENTS, RVIZ_FILE, explore_specs
from astra_ros.nodes.client.launch_arguments import ArgumentError
from astra_ros.nodes.client.node_specs import rviz_remappings
from astra_ros.resources import resource_path


def by_name(**arguments):
    return {spec.executable: spec for spec in explore_specs(arguments)}


def test_simulation_starts_a_rover_and_its_explorer():
    specs = by_name(seed="7", choose="nearest", model="tiny")
    assert list(specs) == ["simulator", "explorer"]
    assert specs["simulator"].parameters == {"world": "explore", "robot": "rover", "seed": 7}
    own = {"use_sim_time": True, "model": "tiny", "action_space": "rover_twist", "choose": "nearest"}
    assert specs["explorer"].parameters == own
    assert specs["explorer"].remappings["depth_info"] == "depth/camera_info"


def test_a_real_base_needs_the_explorer_only():
    specs = by_name(sim="false", depth="/cam/depth", map="/map", action_space="base_twist", cmd_vel="/base/cmd_vel")
    assert list(specs) == ["explorer"]
    explorer = specs["explorer"]
    assert explorer.parameters["map_from"] == "topic" and explorer.parameters["use_sim_time"] is False
    assert explorer.remappings["map"] == "/map" and explorer.remappings["depth_info"] == "/cam/camera_info"
    assert explorer.remappings["cmd_vel"] == "/base/cmd_vel"


def test_a_namespace_has_a_clock_of_its_own():
    specs = by_name(namespace="/left")
    assert {spec.namespace for spec in specs.values()} == {"left"}
    assert specs["simulator"].parameters["clock_topic"] == "clock" == specs["explorer"].remappings["/clock"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"speed": "1"},
        {"choose": "best"},
        {"seed": "-1"},
        {"sim": "maybe"},
        {"namespace": "a b"},
        {"seed": "7", "sim": "false"},
    ],
)
def test_arguments_that_cannot_be_are_refused(wrong):
    with pytest.raises(ArgumentError) as caught:
        by_name(**wrong)
    assert caught.value.thing in wrong and caught.value.cure


def test_the_view_shows_what_the_nodes_publish_under_the_names_of_the_arguments():
    topics = ["/explorer/grid", "/explorer/frontiers", "/camera/image_raw", "/odom"]
    view = resource_path(RVIZ_FILE).read_text()
    assert all(f"Value: {topic}\n" in view for topic in topics)
    values = {name: argument.default for name, argument in EXPLORE_ARGUMENTS.items()}
    found = rviz_remappings(EXPLORE_ARGUMENTS, values | {"namespace": "left", "odom": "/base/odom"}, topics)
    assert found["/odom"] == "/base/odom" and found["/explorer/grid"] == "explorer/grid" and "/depth" not in found
