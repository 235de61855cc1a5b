"""Which nodes make up a running system, with what parameters and remappings.

The one table that the launch file and the demo both start from. Plain Python: a launch file reads
this without starting ROS.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from astra_ros.inference import DEFAULT_MODEL
from astra_ros.nodes.start import EXECUTABLES
from astra_ros.simulation.arm.robots import ROBOTS

PARAMS_FILE = "config/astra.yaml"
RVIZ_FILE = "rviz/imagine.rviz"
CLOCK = "/clock"  # the name that every node with use_sim_time listens to
RESPAWN_DELAY_S = 2.0
_NAMESPACE = re.compile(r"/?[A-Za-z][A-Za-z0-9_]*(/[A-Za-z][A-Za-z0-9_]*)*")


@dataclass(frozen=True)
class Argument:
    """An argument of the launch file: its default, its meaning, its possible values."""

    default: str
    description: str
    choices: tuple[str, ...] = ()


ARGUMENTS: dict[str, Argument] = {
    "sim": Argument(
        "true", "Start the simulator and its plan source; false: use a real camera and planner.", ("true", "false")
    ),
    "world": Argument("arm", "What is simulated: an arm at a table.", ("arm",)),
    "robot": Argument("panda", "The simulated arm.", tuple(sorted(ROBOTS))),
    "seed": Argument(
        "1000",
        "Layout of the simulated scene, and the draw of plans; the shipped models were trained in scenes below 700.",
    ),
    "model": Argument(
        "",
        "World model: a name under models/, or a directory with model.safetensors; '' takes that of "
        f"the params file, or else {DEFAULT_MODEL}.",
    ),
    "backend": Argument("", "What runs the model; '' takes that of the params file, or else torch.", ("", "torch")),
    "device": Argument(
        "", "Where the model runs: cpu, cuda, cuda:0, ...; '' takes that of the params file, or else cpu."
    ),
    "image": Argument("camera/image_raw", "Topic of the camera's images."),
    "joint_states": Argument("joint_states", "Topic that says where the robot is, and so where plans must start."),
    "robot_description": Argument(
        "robot_description",
        "Topic of the robot's URDF, by which models that were trained so see the robot along a plan.",
    ),
    "namespace": Argument(
        "",
        "Namespace of all nodes, topics and services, for several systems side by side; in simulation the clock is "
        "then <namespace>/clock. '' takes none. /diagnostics stays one for all.",
    ),
    "respawn": Argument("false", "Start a node anew 2 s after it has ended by itself.", ("true", "false")),
    "rviz": Argument("false", "Start RViz with the package's view.", ("true", "false")),
    "params_file": Argument("", f"Parameters of all nodes; '' takes the package's {PARAMS_FILE}."),
}


@dataclass(frozen=True)
class NodeSpec:
    """One process: an executable of this package, and what it is given beside the params file."""

    executable: str
    parameters: dict[str, object] = field(default_factory=dict)
    remappings: dict[str, str] = field(default_factory=dict)
    namespace: str = ""

    @property
    def module(self) -> str:
        """The Python module behind the executable."""
        return EXECUTABLES[self.executable]

    def ros_arguments(self, params_file: str) -> list[str]:
        """The command line's part from ``--ros-args`` on."""
        words = ["--ros-args", "--params-file", str(params_file)]
        for name, value in self.parameters.items():
            # JSON is YAML: strings stay strings, even those that look like numbers.
            words += ["-p", f"{name}:={json.dumps(value)}"]
        for name, target in self.remappings.items():
            words += ["-r", f"{name}:={target}"]
        if self.namespace:
            words += ["-r", f"__ns:=/{self.namespace}"]
        return words


def nodes(arguments: Mapping[str, str]) -> list[NodeSpec]:
    """The nodes to start for the given arguments; those not given have their defaults.

    Raises:
        ValueError: an unknown argument, or a value that is not among an argument's choices or cannot be one.
    """
    values = {name: argument.default for name, argument in ARGUMENTS.items()}
    for name, value in arguments.items():
        if name not in ARGUMENTS:
            raise ValueError(f"unknown argument '{name}'; known are {', '.join(ARGUMENTS)}")
        choices = ARGUMENTS[name].choices
        if choices and value not in choices:
            raise ValueError(f"{name} is '{value}'; choose one of {', '.join(choices)}")
        values[name] = value
    simulated = values["sim"] == "true"
    folder, slash, _ = values["image"].rpartition("/")
    if values["namespace"] and not _NAMESPACE.fullmatch(values["namespace"]):
        raise ValueError(
            f"namespace is '{values['namespace']}'; expected names of letters, digits and _ with / between them"
        )
    namespace = values["namespace"].strip("/")
    imagine = NodeSpec(
        "imagine",
        {"use_sim_time": simulated, **{name: values[name] for name in ("model", "backend", "device") if values[name]}},
        {
            "image": values["image"],
            "camera_info": f"{folder}{slash}camera_info",
            "joint_states": values["joint_states"],
            "robot_description": values["robot_description"],
        },
        namespace,
    )
    if not simulated:
        return [imagine]
    if not re.fullmatch(r"[0-9]+", values["seed"]):
        raise ValueError(f"seed is '{values['seed']}'; expected a whole number, 0 or more")
    imagine.parameters["tool_link"] = ROBOTS[values["robot"]].tool_link
    scene = {"robot": values["robot"], "seed": int(values["seed"])}
    simulator = NodeSpec("simulator", {"world": values["world"], **scene}, namespace=namespace)
    if namespace:  # or two simulators would share one clock
        simulator.parameters["clock_topic"] = CLOCK.lstrip("/")
        imagine.remappings[CLOCK] = CLOCK.lstrip("/")
    return [simulator, imagine, NodeSpec("plan_source", dict(scene), namespace=namespace)]


def rviz_remappings(arguments: Mapping[str, str], topics: Iterable[str]) -> dict[str, str]:
    """What the topics of RViz's view are called with these arguments.

    Args:
        topics: the absolute names in the view.
    """
    image = "/" + ARGUMENTS["image"].default
    found = {topic: topic.lstrip("/") for topic in (*topics, CLOCK) if arguments["namespace"]}
    return found | {image: arguments["image"]}
