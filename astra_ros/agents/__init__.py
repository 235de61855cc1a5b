"""Applications of the world model: propose plans, imagine them, choose one, act. Without ROS and without simulators."""
