"""What a camera's messages say, and the frames that a model looks at: without ROS, for nodes and imports alike."""
