#!/usr/bin/env bash
# Guess: rclpy's `serialize_message` gives the bytes that a publisher sends, and that `ros2 bag record` would store.
# Behaviour: with Fast DDS, of a message with empty sequences of 8-byte numbers it gives 4 bytes more for each, which are
#   not initialised (rmw_serialize takes the estimated size for the written one). A raw subscription gets the exact bytes.
#   rosbags refuses more than 3 bytes behind a message: "CDR message size mismatch".
# Versions: ros-rclpy 9.1.2 (Kilted) with rmw_fastrtps_cpp, ros-sensor-msgs 5.5.1, rosbags 0.11.9, CPython 3.11.
# For our users: a bag that a Python node writes with `writer.write(topic, serialize_message(msg), time)`, as the tutorial
#   of rosbag2 does, held no joint state without velocities that could be imported. The import now passes over them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "ros-rclpy[fastrtps]==9.1.2" ros-sensor-msgs==5.5.1 rosbags==0.11.9
cat > "$folder/try.py" <<'PYTHON'
import sys
import time
from importlib.metadata import version

import rclpy
from rclpy.serialization import serialize_message
from rosbags.typesys import Stores, get_typestore
from sensor_msgs.msg import JointState

store, kind = get_typestore(Stores.LATEST), 'sensor_msgs/msg/JointState'


def readable(data):
    try:
        return store.deserialize_cdr(data, kind).position.tolist() == [1.0]
    except Exception as error:
        return str(error)


rclpy.init()
node = rclpy.create_node('example')
publisher = node.create_publisher(JointState, 'joint_states', 10)
sent = []
node.create_subscription(JointState, 'joint_states', lambda data: sent.append(bytes(data)), 10, raw=True)
msg = JointState(name=['a'], position=[1.0])
until = time.monotonic() + 60
while not sent and time.monotonic() < until:
    publisher.publish(msg)
    rclpy.spin_once(node, timeout_sec=0.2)
sent, serialized = sent[0], serialize_message(msg)
print(f'rclpy {version("ros-rclpy")}: sent {len(sent)} bytes, rosbags {version("rosbags")} reads them: {readable(sent)}; '
      f'serialize_message gives {len(serialized)}: {readable(serialized)}')
rclpy.shutdown()
sys.exit(not (len(serialized) == len(sent) + 8 and serialized[:len(sent)] == sent and readable(sent) is True
              and 'size mismatch' in str(readable(serialized))))
PYTHON
export AMENT_PREFIX_PATH="$folder/venv" RMW_IMPLEMENTATION=rmw_fastrtps_cpp
"$folder/venv/bin/python" "$folder/try.py"
