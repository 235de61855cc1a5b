"""The nodes of ``explore.launch.py``, with their parameters and remappings; see ``node_specs.py``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from astra_ros.nodes.client.node_specs import ARGUMENTS, CLOCK, Argument, ArgumentError, NodeSpec
from astra_ros.nodes.explorer.settings import CHOICES

RVIZ_FILE = "rviz/explore.rviz"
EXPLORE_ARGUMENTS: dict[str, Argument] = {
    "sim": Argument("true", "Start a simulated rover in a house; with false use a real base.", ("true", "false")),
    "seed": Argument("1000", "Seed of the simulated house; the shipped models were trained in houses below 700."),
    **{name: ARGUMENTS[name] for name in ("model", "backend", "device")},
    "action_space": Argument("rover_twist", "The model's action space of the base."),
    "choose": Argument(
        "imagined",
        "How the next motion is chosen: by imagined gain, by the map alone, or the nearest frontier.",
        CHOICES,
    ),
    "image": Argument("camera/image_raw", "Topic of the camera's images."),
    "depth": Argument("depth/image_raw", "Topic of its depth images; their camera_info is beside it."),
    "odom": Argument("odom", "Topic of the base's odometry."),
    "map": Argument("", "Topic of a map that another node makes; '' makes one from depth images."),
    "cmd_vel": Argument("cmd_vel", "Topic that the base is commanded on."),
    **{name: ARGUMENTS[name] for name in ("namespace", "rviz", "params_file")},
}


def explore_specs(arguments: Mapping[str, str]) -> list[NodeSpec]:
    """The nodes to start; arguments that are not given have their defaults.

    Raises ArgumentError for an unknown argument or a value that an argument cannot have.
    """
    values = {name: argument.default for name, argument in EXPLORE_ARGUMENTS.items()}
    for name, value in arguments.items():
        if name not in EXPLORE_ARGUMENTS:
            raise ArgumentError("unknown argument", thing=name, cure=f"choose from {', '.join(EXPLORE_ARGUMENTS)}")
        choices = EXPLORE_ARGUMENTS[name].choices
        if choices and value not in choices:
            raise ArgumentError(f"'{value}'", thing=name, cure=f"choose from {', '.join(choices)}")
        values[name] = value
    simulated, namespace = values["sim"] == "true", values["namespace"].strip("/")
    chosen: dict[str, object] = {name: values[name] for name in ("model", "backend", "device") if values[name]}
    chosen |= {"action_space": values["action_space"], "choose": values["choose"]}
    topics = {name: values[name] for name in ("image", "depth", "odom", "cmd_vel")}
    folder, slash, _ = values["depth"].rpartition("/")
    topics["depth_info"] = f"{folder}{slash}camera_info"
    if values["map"]:
        topics["map"], chosen["map_from"] = values["map"], "topic"
    explorer = NodeSpec("explorer", {"use_sim_time": simulated, **chosen}, topics, namespace)
    if not simulated:
        return [explorer]
    if not re.fullmatch(r"[0-9]+", values["seed"]):
        raise ArgumentError(f"'{values['seed']}'", thing="seed", cure="give a whole number, 0 or more")
    scene = {"world": "explore", "robot": "rover", "seed": int(values["seed"])}
    simulator = NodeSpec("simulator", scene, {"cmd_vel": values["cmd_vel"]}, namespace)
    if namespace:  # or two simulators would share one clock
        simulator.parameters["clock_topic"] = CLOCK.lstrip("/")
        explorer.remappings[CLOCK] = CLOCK.lstrip("/")
    return [simulator, explorer]
