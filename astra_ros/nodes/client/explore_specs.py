"""The nodes of ``explore.launch.py``, with their parameters and remappings; see ``node_specs.py``."""

from __future__ import annotations

from collections.abc import Mapping

from astra_ros.nodes.client.launch_arguments import Argument, beside, namespace_of, seed_of, simulates, values_of
from astra_ros.nodes.client.node_specs import ARGUMENTS, NodeSpec, own_clock
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
    values = values_of(EXPLORE_ARGUMENTS, arguments)
    simulated, namespace = simulates(EXPLORE_ARGUMENTS, values), namespace_of(values)
    chosen: dict[str, object] = {name: values[name] for name in ("model", "backend", "device") if values[name]}
    chosen |= {"action_space": values["action_space"], "choose": values["choose"]}
    topics = {name: values[name] for name in ("image", "depth", "odom", "cmd_vel")}
    topics["depth_info"] = beside(values["depth"], "camera_info")
    if values["map"]:
        topics["map"], chosen["map_from"] = values["map"], "topic"
    explorer = NodeSpec("explorer", {"use_sim_time": simulated, **chosen}, topics, namespace)
    if not simulated:
        return [explorer]
    scene = {"world": "explore", "robot": "rover", "seed": seed_of(values)}
    simulator = NodeSpec("simulator", scene, {"cmd_vel": values["cmd_vel"]}, namespace)
    own_clock(simulator, explorer)
    return [simulator, explorer]
