"""A rosbag2 into episodes, step by step: files, topics, series, one clock, a layout, images."""
