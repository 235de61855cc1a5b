"""The ROS nodes: parameters, topics, services, threads. The maths is elsewhere."""
