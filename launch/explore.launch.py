"""A rover maps a house: simulator (or a real base's topics), explorer node and, if wanted, RViz.

ros2 launch astra_ros explore.launch.py --show-args
"""

import re
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from astra_ros.nodes.client.explore_specs import EXPLORE_ARGUMENTS, RVIZ_FILE, explore_specs
from astra_ros.nodes.client.node_specs import CLOCK, PARAMS_FILE
from astra_ros.resources import resource_path


def start(context):
    """The nodes for the arguments of this launch."""
    values = {name: LaunchConfiguration(name).perform(context) for name in EXPLORE_ARGUMENTS}
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
            parameters=[params_file, spec.parameters],
            remappings=list(spec.remappings.items()),
        )
        for spec in explore_specs(values)
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
                remappings=[(f"/{name}", name) for name in view_topics()] if values["namespace"] else [],
            )
        )
    return actions


def view_topics():
    """The topics of RViz's view, without the leading slash."""
    shown = re.findall(r"Value: /(\S+)", resource_path(RVIZ_FILE).read_text())
    return sorted({*shown, CLOCK.lstrip("/")})


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
        for name, argument in EXPLORE_ARGUMENTS.items()
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=start)])
