"""Folders of bags: metadata that fits their files or not, and all that is read of them."""

import numpy as np
import yaml

from astra_ros.datasets.rosbag.bag import Bag

IMAGE, JOINTS = "/camera/image_raw", "/joint_states"


def put_metadata(folder, files, counts):
    types = {IMAGE: "sensor_msgs/msg/Image", JOINTS: "sensor_msgs/msg/JointState", "/imu": "sensor_msgs/msg/Imu"}
    (folder / "metadata.yaml").write_text(
        yaml.safe_dump(
            {
                "rosbag2_bagfile_information": {
                    "version": 5,
                    "storage_identifier": "mcap",
                    "relative_file_paths": files,
                    "message_count": sum(counts.values()),
                    "topics_with_message_count": [
                        {
                            "message_count": count,
                            "topic_metadata": {
                                "name": topic,
                                "type": types[topic],
                                "serialization_format": "cdr",
                                "offered_qos_profiles": "",
                            },
                        }
                        for topic, count in counts.items()
                    ],
                }
            }
        )
    )


def read(path):
    """(topic -> received times in s from the first, of every message; file names; notes), in the order read."""
    times = {}
    with Bag(path) as bag:
        for topic, received_ns, _ in bag.messages([topic.name for topic in bag.topics]):
            times.setdefault(topic, []).append(received_ns / 1e9)
        counts = {topic.name: topic.count for topic in bag.topics}
        files = [file.name for file in bag.files]
        notes = list(bag.notes)
    first = min(map(min, times.values())) if times else 0
    times = {topic: np.round(np.array(values) - first, 3) for topic, values in times.items()}
    assert {topic: len(values) for topic, values in times.items()} == {
        topic: count for topic, count in counts.items() if count
    }  # counts never contradict what is read
    return times, files, notes
