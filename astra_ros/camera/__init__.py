"""Camera messages, and the frames that a model is given. Without ROS, for nodes and bag imports alike."""
