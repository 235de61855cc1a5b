"""What the launch files have in common: they start the nodes of a table and, if wanted, RViz.

Only launch files import this module: it needs the packages launch and launch_ros.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from astra_ros.nodes.client.launch_arguments import Argument
from astra_ros.nodes.client.node_specs import PARAMS_FILE, RESPAWN_DELAY_S, NodeSpec, rviz_remappings
from astra_ros.resources import resource_path


def launch_description(
    table: Mapping[str, Argument], specs: Callable[[Mapping[str, str]], list[NodeSpec]], rviz_file: str
) -> LaunchDescription:
    """The arguments of a table and the nodes of their values.

    Args:
        table: the arguments; `namespace`, `params_file`, `rviz` and `sim` among them.
        specs: makes the nodes out of the arguments' values.
        rviz_file: RViz's view, in the package's share folder.
    """

    def start(context):
        values = {name: LaunchConfiguration(name).perform(context) for name in table}
        return [*nodes(specs(values), values), *rviz(table, values, rviz_file)]

    arguments = [
        DeclareLaunchArgument(
            name,
            default_value=argument.default,
            description=argument.description,
            choices=list(argument.choices) or None,
        )
        for name, argument in table.items()
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=start)])


def nodes(specs: list[NodeSpec], values: Mapping[str, str]) -> list[Node]:
    params_file = values["params_file"] or str(resource_path(PARAMS_FILE))
    if not Path(params_file).is_file():
        raise RuntimeError(f"params_file '{params_file}' is not there; nothing was started")
    return [
        Node(
            package="astra_ros",
            executable=spec.executable,
            name=spec.executable,
            namespace=spec.namespace,
            output="screen",
            respawn=values.get("respawn") == "true",
            respawn_delay=RESPAWN_DELAY_S,
            parameters=[params_file, spec.parameters],
            remappings=list(spec.remappings.items()),
        )
        for spec in specs
    ]


def rviz(table: Mapping[str, Argument], values: Mapping[str, str], rviz_file: str) -> list[Node | LogInfo]:
    if values["rviz"] != "true":
        return []
    if not is_installed("rviz2"):
        return [LogInfo(msg="rviz:=true, but the package rviz2 is not installed: going on without")]
    view = resource_path(rviz_file)
    topics = sorted(set(re.findall(r"Value: (/\S+)", view.read_text())))
    return [
        Node(
            package="rviz2",
            executable="rviz2",
            arguments=["-d", str(view)],
            namespace=values["namespace"],
            parameters=[{"use_sim_time": values["sim"] == "true"}],
            remappings=list(rviz_remappings(table, values, topics).items()),
        )
    ]


def is_installed(package: str) -> bool:
    """Whether a ROS package is there; launch would start half of the nodes before it finds out."""
    try:
        get_package_prefix(package)
    except PackageNotFoundError:
        return False
    return True
