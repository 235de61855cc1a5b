"""A robot's joints, description and renders, read without ROS by nodes and by the bag import."""
