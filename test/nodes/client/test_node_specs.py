"""The table of nodes that launch file and demo start from, and the command lines of its entries."""

import pytest

from astra_ros.inference import ARMS_MODEL
from astra_ros.nodes.client.launch_arguments import ArgumentError
from astra_ros.nodes.client.node_specs import ARGUMENTS, NodeSpec, node_specs, rviz_remappings
from astra_ros.simulation.arm.robots import ROBOTS


def by_name(**arguments):
    return {spec.executable: spec for spec in node_specs(arguments)}


def test_simulation_starts_three_nodes_of_one_robot_and_seed():
    specs = by_name(robot="kuka", seed="7")
    assert list(specs) == ["simulator", "imagine", "plan_source"]
    for name in ("simulator", "plan_source"):
        assert specs[name].parameters["robot"] == "kuka" and specs[name].parameters["seed"] == 7
    assert specs["imagine"].parameters["use_sim_time"] is True
    assert specs["imagine"].parameters["tool_link"] == ROBOTS["kuka"].tool_link


def test_a_real_robot_needs_the_imagine_node_only():
    specs = by_name(
        sim="false",
        image="/left/image_rect",
        joint_states="/arm/joint_states",
        model="/m",
        device="cuda",
        robot_description="/arm/robot_description",
    )
    assert list(specs) == ["imagine"]
    imagine = specs["imagine"]
    assert imagine.parameters == {"use_sim_time": False, "model": "/m", "device": "cuda"}
    assert imagine.remappings == {
        "image": "/left/image_rect",
        "camera_info": "/left/camera_info",
        "joint_states": "/arm/joint_states",
        "robot_description": "/arm/robot_description",
        "odom": "odom",
    }
    assert by_name(image="image")["imagine"].remappings["camera_info"] == "camera_info"


def test_a_gate_stands_between_planners_and_the_imagine_node():
    specs = by_name(gate="true", robot="kuka", namespace="a")
    assert list(specs) == ["simulator", "imagine", "gate", "plan_source"]
    assert specs["imagine"].parameters["candidates.keep"] == 1 and specs["gate"].namespace == "a"
    assert specs["plan_source"].parameters["count"] == 1 and specs["plan_source"].remappings == {"plans": "plan"}
    assert specs["gate"].parameters == {"use_sim_time": True} and specs["gate"].remappings == {"/clock": "clock"}
    car = by_name(gate="true", world="drive")
    assert car["simulator"].remappings["follow_path"] == "gate/passed"
    assert car["gate"].parameters["type"] == car["imagine"].parameters["candidates.type"]


def test_goals_of_a_controller_come_from_other_planners():
    controller = "/arm/follow_joint_trajectory"
    real = by_name(gate="true", controller=controller, sim="false", planner="ompl")
    assert list(real) == ["imagine", "gate"]
    assert real["gate"].parameters == {"use_sim_time": False, "controller": controller}
    assert list(by_name(gate="true", controller=controller)) == ["simulator", "imagine", "gate"]
    with pytest.raises(ArgumentError) as error:
        by_name(controller=controller)
    assert error.value.thing == "controller"


def test_the_planner_of_arms_is_an_option_in_simulation_and_on_a_real_arm():
    specs = by_name(planner="ompl", robot="kuka")
    assert list(specs) == ["simulator", "imagine", "arm_planner"]
    planner = specs["arm_planner"]
    assert planner.parameters["tool_link"] == ROBOTS["kuka"].tool_link and planner.parameters["use_floor"] is True
    real = by_name(sim="false", planner="ompl", joint_states="/arm/joint_states", namespace="left")
    assert list(real) == ["imagine", "arm_planner"]
    assert real["arm_planner"].remappings["joint_states"] == "/arm/joint_states"
    assert real["arm_planner"].namespace == "left" and real["arm_planner"].parameters == {}
    with pytest.raises(ArgumentError) as caught:
        node_specs({"planner": "ompl", "world": "drive"})
    assert caught.value.thing == "planner" and "drive" in caught.value.problem and caught.value.cure


def test_a_simulated_arm_whose_pushes_a_planner_makes_gets_the_model_that_knows_them_best():
    assert by_name(planner="ompl")["imagine"].parameters["model"] == ARMS_MODEL
    assert by_name(planner="ompl", model="tiny")["imagine"].parameters["model"] == "tiny"
    for other in ({}, {"world": "drive"}, {"planner": "ompl", "sim": "false"}):
        assert "model" not in by_name(**other)["imagine"].parameters


def test_two_systems_stand_side_by_side_each_with_a_clock_of_its_own():
    alone = by_name()
    assert "/clock" not in alone["imagine"].remappings and "clock_topic" not in alone["simulator"].parameters
    for given, namespace in (("left", "left"), ("/arms/right", "arms/right")):
        specs = by_name(namespace=given)
        assert {spec.namespace for spec in specs.values()} == {namespace}
        assert specs["simulator"].parameters["clock_topic"] == "clock" == specs["imagine"].remappings["/clock"]
        for spec in specs.values():
            words = spec.ros_arguments("p.yaml")
            assert words[-2:] == ["-r", f"__ns:=/{namespace}"]
            absolute = [target for target in spec.remappings.values() if target.startswith("/")]
            assert absolute == [], "a relative name is one of the namespace"
    real = by_name(sim="false", namespace="left", image="/cam/image")
    assert "/clock" not in real["imagine"].remappings, "a real robot has no simulated clock"
    assert real["imagine"].remappings["image"] == "/cam/image"


def test_rviz_looks_where_the_namespace_is():
    values = {name: argument.default for name, argument in ARGUMENTS.items()}
    topics = ["/goal_image", "/camera/image_raw"]
    assert rviz_remappings(ARGUMENTS, values, topics) == {"/camera/image_raw": "camera/image_raw"}
    assert rviz_remappings(ARGUMENTS, values | {"namespace": "left", "image": "cam"}, topics) == {
        "/goal_image": "goal_image", "/camera/image_raw": "cam", "/clock": "clock",
    }  # fmt: skip


@pytest.mark.parametrize(
    "thing, value",
    [
        ("namespace", "two words"),
        ("namespace", "left/"),
        ("robot", "ur5"),
        ("robots", "x"),
        ("seed", "abc"),
        ("seed", "-1"),
    ],
)
def test_an_argument_that_cannot_be_used_is_named(thing, value):
    with pytest.raises(ArgumentError) as error:
        node_specs({thing: value})
    assert error.value.thing == thing and error.value.cure
    assert thing not in ARGUMENTS or value in error.value.problem
    assert not (ARGUMENTS.get(thing) and ARGUMENTS[thing].choices) or "panda" in error.value.cure


@pytest.mark.parametrize("given", [{"world": "drive"}, {"robot": "kuka"}, {"seed": "7"}])
def test_an_argument_of_the_simulator_is_refused_on_a_real_robot(given):
    with pytest.raises(ArgumentError) as error:
        node_specs({"sim": "false", **given})
    assert error.value.thing in given and "sim:=false" in error.value.cure


def test_every_argument_is_described_and_its_default_is_a_choice():
    for name, argument in ARGUMENTS.items():
        assert len(argument.description) > 10, name
        assert not argument.choices or argument.default in argument.choices, name


def test_strings_that_look_like_numbers_stay_strings():
    words = NodeSpec("imagine", {"model": "007", "on": True}, {"a": "b"}).ros_arguments("p.yaml")
    assert words == ["--ros-args", "--params-file", "p.yaml", "-p", 'model:="007"', "-p", "on:=true", "-r", "a:=b"]
