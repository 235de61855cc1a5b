"""A rover maps a house: simulator (or a real base's topics), explorer node and, if wanted, RViz.

ros2 launch astra_ros explore.launch.py --show-args
"""

from astra_ros.nodes.client.explore_specs import EXPLORE_ARGUMENTS, RVIZ_FILE, explore_specs
from astra_ros.nodes.client.launch_files import launch_description


def generate_launch_description():
    """Called by ``ros2 launch``."""
    return launch_description(EXPLORE_ARGUMENTS, explore_specs, RVIZ_FILE)
