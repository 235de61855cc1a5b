"""Simulator (or a real robot's topics), imagine node and, if wanted, RViz.

ros2 launch astra_ros imagine.launch.py --show-args
"""

from astra_ros.nodes.client.launch_files import launch_description
from astra_ros.nodes.client.node_specs import ARGUMENTS, RVIZ_FILE, node_specs


def generate_launch_description():
    """Called by ``ros2 launch``."""
    return launch_description(ARGUMENTS, node_specs, RVIZ_FILE)
