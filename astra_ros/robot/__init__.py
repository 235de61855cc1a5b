"""What messages and descriptions say of a robot's joints: without ROS, for nodes and imports alike."""
