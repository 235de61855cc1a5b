"""Plans, actions and critics: numpy in, numpy out, no ROS and no simulator."""
