"""PyBullet worlds and robots. No display and no ROS needed."""
