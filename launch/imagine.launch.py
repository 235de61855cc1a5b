"""Simulator (or a real robot's topics), imagine node and, if wanted, RViz.

ros2 launch astra_ros imagine.launch.py --show-args
"""

import re
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from astra_ros.nodes.client.node_specs import (
    ARGUMENTS,
    PARAMS_FILE,
    RESPAWN_DELAY_S,
    RVIZ_FILE,
    node_specs,
    rviz_remappings,
)
from astra_ros.resources import resource_path


def start(context):
    """The nodes for the arguments of this launch."""
    values = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    params_file = values["params_file"] or str(resource_path(PARAMS_FILE))
    if not Path(params_file).is_file():
        raise RuntimeError(f"params_file '{params_file}' is not there; nothing was started")
    actions = [
        Node(
            package="astra_ros",
            executable=spec.executable,
            name=spec.executable,
            namespace=spec.namespace,
            output="screen",
            respawn=values["respawn"] == "true",
            respawn_delay=RESPAWN_DELAY_S,
            parameters=[params_file, spec.parameters],
            remappings=list(spec.remappings.items()),
        )
        for spec in node_specs(values)
    ]
    if values["rviz"] == "true" and not is_installed("rviz2"):
        actions.append(LogInfo(msg="rviz:=true, but the package rviz2 is not installed: going on without"))
    elif values["rviz"] == "true":
        actions.append(
            Node(
                package="rviz2",
                executable="rviz2",
                arguments=["-d", str(resource_path(RVIZ_FILE))],
                namespace=values["namespace"],
                parameters=[{"use_sim_time": values["sim"] == "true"}],
                remappings=list(rviz_remappings(values, view_topics()).items()),
            )
        )
    return actions


def view_topics():
    """The topics of RViz's view."""
    return sorted(set(re.findall(r"Value: (/\S+)", resource_path(RVIZ_FILE).read_text())))


def is_installed(package):
    """Whether a ROS package is there; launch would start half of the nodes before it finds out."""
    try:
        get_package_prefix(package)
    except PackageNotFoundError:
        return False
    return True


def generate_launch_description():
    """Called by ``ros2 launch``."""
    arguments = [
        DeclareLaunchArgument(
            name,
            default_value=argument.default,
            description=argument.description,
            choices=list(argument.choices) or None,
        )
        for name, argument in ARGUMENTS.items()
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=start)])
