"""Which nodes a running system has, with their parameters and remappings.

The launch file and the demo both start from this table. It is plain Python, so a launch file reads it without
starting ROS.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from astra_ros.inference import ARMS_MODEL, BACKEND_TEXT, DEFAULT_MODEL
from astra_ros.nodes.client.launch_arguments import (
    Argument,
    ArgumentError,
    beside,
    namespace_of,
    seed_of,
    simulates,
    values_of,
)
from astra_ros.nodes.start import EXECUTABLES
from astra_ros.simulation.arm.robots import ROBOTS
from astra_ros.simulation.drive.referee import CRUISE, OFF_ROAD_COST
from astra_ros.simulation.worlds import WORLDS

PARAMS_FILE = "config/astra.yaml"
RVIZ_FILE = "rviz/imagine.rviz"
CLOCK = "/clock"  # every node with use_sim_time subscribes to this name
RESPAWN_DELAY_S = 2.0


# robot -> its world, of those that the launch file offers
_ROBOT_WORLDS = {robot: world for world in ("arm", "drive") for robot in WORLDS[world].robots}

ARGUMENTS: dict[str, Argument] = {
    "sim": Argument(
        "true", "Start the simulator and its plan source; with false use a real camera and planner.", ("true", "false")
    ),
    "world": Argument(
        "arm",
        "The simulated world: arm, an arm at a table; or drive, a car on roads, which follows the best "
        "of its planner's paths.",
        ("arm", "drive"),
    ),
    "robot": Argument(
        "",
        "The simulated robot: panda or kuka in the world arm, car in the world drive; '' takes the world's first one.",
        ("", *_ROBOT_WORLDS),
    ),
    "seed": Argument(
        "1000",
        "Seed of the simulated scene and of the plans; the shipped models were trained in scenes below 700 and from "
        "2000 to 100640, astra-arms also in those from 200000 to 201089.",
    ),
    "model": Argument(
        "",
        "World model: a name under models/, or a directory with model.safetensors; '' takes the one in "
        f"the params file, or else {DEFAULT_MODEL}; for a simulated arm with planner:=ompl always {ARMS_MODEL}.",
    ),
    "backend": Argument(
        "", f"{BACKEND_TEXT[0].upper()}{BACKEND_TEXT[1:]}; '' takes the one in the params file, or else torch."
    ),
    "device": Argument(
        "", "Where the model runs: cpu, cuda, cuda:0, ...; '' takes the one in the params file, or else cpu."
    ),
    "planner": Argument(
        "push",
        "Where candidate plans of an arm come from: push, the simulator's own pushes; or ompl, motions to a goal that "
        "are planned from the robot's description, in simulation or on a real arm (which needs tool_link in the params "
        "file).",
        ("push", "ompl"),
    ),
    "gate": Argument(
        "false",
        "Start the gate: a planner sends it one plan at a time, which it hands on only if the imagine node accepts it.",
        ("true", "false"),
    ),
    "controller": Argument(
        "",
        "With the gate, the action of the controller that executes what passes: plans are then the goals of the gate's "
        "own action, as MoveIt sends them, and no planner is started; '' takes the one in the params file.",
    ),
    "image": Argument("camera/image_raw", "Topic of the camera's images."),
    "joint_states": Argument("joint_states", "Topic of the robot's joint states; plans must start there."),
    "odom": Argument("odom", "Topic of the robot's odometry; plans that are paths begin there."),
    "robot_description": Argument(
        "robot_description", "Topic of the robot's URDF, for models that take the robot rendered along a plan."
    ),
    "namespace": Argument(
        "",
        "Namespace of all nodes, topics and services, for several systems side by side; empty: none. In simulation the "
        "clock is then <namespace>/clock. All systems share /diagnostics.",
    ),
    "respawn": Argument("false", "Restart a node 2 s after it has ended by itself.", ("true", "false")),
    "rviz": Argument("false", "Start RViz with the package's view.", ("true", "false")),
    "params_file": Argument("", f"Parameters of all nodes; '' takes the package's {PARAMS_FILE}."),
}


# What the imagine node takes and scores where a car drives.
DRIVING: dict[str, object] = {
    "candidates.type": "nav_msgs/msg/Path",
    "action_space": "car_twist",
    "progress.enabled": True,
    "progress.speed": CRUISE,
    "off_road.enabled": True,
    "off_road.weight": OFF_ROAD_COST,
}


@dataclass(frozen=True)
class NodeSpec:
    """One process: an executable of this package, and what it gets in addition to the params file."""

    executable: str
    parameters: dict[str, object] = field(default_factory=dict)
    remappings: dict[str, str] = field(default_factory=dict)
    namespace: str = ""

    @property
    def module(self) -> str:
        return EXECUTABLES[self.executable]

    def ros_arguments(self, params_file: str) -> list[str]:
        """The command line from ``--ros-args`` on."""
        words = ["--ros-args", "--params-file", str(params_file)]
        for name, value in self.parameters.items():
            # JSON is YAML, and keeps strings that look like numbers strings.
            words += ["-p", f"{name}:={json.dumps(value)}"]
        for name, target in self.remappings.items():
            words += ["-r", f"{name}:={target}"]
        if self.namespace:
            words += ["-r", f"__ns:=/{self.namespace}"]
        return words


def node_specs(arguments: Mapping[str, str]) -> list[NodeSpec]:
    """The nodes to start; arguments that are not given have their defaults.

    Raises ArgumentError for an unknown argument or a value that an argument cannot have.
    """
    values = values_of(ARGUMENTS, arguments)
    if values["controller"] and values["gate"] != "true":
        raise ArgumentError("it is for the gate only", thing="controller", cure="set gate:=true, or leave it out")
    specs = _ungated(values)
    return _gated(specs, values["controller"]) if values["gate"] == "true" else specs


def _ungated(values: Mapping[str, str]) -> list[NodeSpec]:
    """The nodes, whose planners send candidates to the imagine node."""
    simulated, namespace = simulates(ARGUMENTS, values), namespace_of(values)
    chosen = {name: values[name] for name in ("model", "backend", "device") if values[name]}
    topics = {name: values[name] for name in ("image", "joint_states", "robot_description", "odom")}
    topics["camera_info"] = beside(values["image"], "camera_info")
    imagine = NodeSpec("imagine", {"use_sim_time": simulated, **chosen}, topics, namespace)
    planner = NodeSpec("arm_planner", {}, {n: topics[n] for n in ("joint_states", "robot_description")}, namespace)
    if not simulated:
        return [imagine, planner] if values["planner"] == "ompl" else [imagine]
    seed = seed_of(values)
    robot = values["robot"] or next(iter(WORLDS[values["world"]].robots))
    if robot not in WORLDS[values["world"]].robots:
        cure = f"choose from {', '.join(WORLDS[values['world']].robots)}, or set world:={_ROBOT_WORLDS[robot]}"
        raise ArgumentError(f"'{robot}' is not in the world '{values['world']}'", thing="robot", cure=cure)
    if values["planner"] == "ompl" and values["world"] != "arm":
        problem = f"'ompl' plans for arms, and the world is '{values['world']}'"
        raise ArgumentError(problem, thing="planner", cure="leave it out, or set world:=arm")
    scene = {"robot": robot, "seed": seed}
    simulator = NodeSpec("simulator", {"world": values["world"], **scene}, namespace=namespace)
    own_clock(simulator, imagine)
    if values["planner"] == "ompl":
        imagine.parameters.setdefault("model", ARMS_MODEL)
    if values["world"] == "drive":
        imagine.parameters.update(DRIVING)
        # The car follows what is handed on.
        simulator.remappings["follow_path"] = "imagine/best_path"
        return [simulator, imagine, NodeSpec("drive_planner", {"seed": seed}, namespace=namespace)]
    imagine.parameters["tool_link"] = ROBOTS[robot].tool_link
    # The table's top is at the height of the base.
    planner.parameters.update(tool_link=ROBOTS[robot].tool_link, use_floor=True, floor_m=0.0)
    pushes = NodeSpec("plan_source", dict(scene), namespace=namespace)
    return [simulator, imagine, planner if values["planner"] == "ompl" else pushes]


def _gated(specs: list[NodeSpec], controller: str) -> list[NodeSpec]:
    """The nodes, whose planners send single plans to the gate."""
    by_name = {spec.executable: spec for spec in specs}
    imagine, simulator = by_name.pop("imagine"), by_name.pop("simulator", None)
    imagine.parameters["candidates.keep"] = 1
    gate = NodeSpec("gate", {"use_sim_time": simulator is not None}, namespace=imagine.namespace)
    if controller:
        gate.parameters["controller"] = controller
        by_name.clear()
    elif "candidates.type" in imagine.parameters:
        gate.parameters["type"] = imagine.parameters["candidates.type"]
    for planner in by_name.values():
        planner.parameters["count"] = 1
        planner.remappings["plans"] = "plan"
    if simulator is None:
        return [imagine, gate, *by_name.values()]
    own_clock(simulator, gate)
    if "follow_path" in simulator.remappings:
        simulator.remappings["follow_path"] = "gate/passed"
    return [simulator, imagine, gate, *by_name.values()]


def own_clock(simulator: NodeSpec, reader: NodeSpec) -> None:
    """In a namespace, let the simulator publish the time there: two simulators must not share one clock."""
    if simulator.namespace:
        simulator.parameters["clock_topic"] = CLOCK.lstrip("/")
        reader.remappings[CLOCK] = CLOCK.lstrip("/")


def rviz_remappings(table: Mapping[str, Argument], values: Mapping[str, str], topics: Iterable[str]) -> dict[str, str]:
    """Remappings of the absolute topic names in RViz's view for these values of a launch file's arguments."""
    found = {topic: topic.lstrip("/") for topic in (*topics, CLOCK) if values["namespace"]}
    named = {"/" + argument.default: values[name] for name, argument in table.items()}
    return found | {topic: named[topic] for topic in topics if topic in named}
