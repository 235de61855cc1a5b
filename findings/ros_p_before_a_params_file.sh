#!/usr/bin/env bash
# A `-p` before a ROS 2 parameters file takes the effect from those behind it.
#
# The guess: what stands last on the command line wins, so `-p model:=mine --params-file FILE -p horizon:=24` gives 24.
# The behaviour (rclpy 9.1.2 of ROS 2 Kilted): where FILE has a section for the node (`/**/node:`), horizon is the
# file's, and nothing is said. All `-p` without a node are one section `/**`, which stands where the first of them does,
# and sections are gone through in order: one `-p` before the file, of whatever parameter, puts all of them before it.
# Without the first `-p` it is 24. `-p node:horizon:=24` behind the file wins always.
# For our users: `-p model:=... --params-file` with a copy of config/astra.yaml, and then any `-p`, changes nothing. The
# nodes of astra_ros warn of it, and the documents put `--params-file` first.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'ros-rclpy[fastrtps]==9.1.2' 'numpy<2.3'
printf '/**/node:\n  ros__parameters:\n    horizon: 16\n' > "$folder/params.yaml"
cat > "$folder/node.py" <<'PY'
import sys
from importlib.metadata import version

import rclpy
from rclpy.node import Node


def horizon(*args):
    context = rclpy.Context()
    rclpy.init(args=["node", "--ros-args", *args], context=context)
    node = Node("node", context=context)
    value = node.declare_parameter("horizon", 1).value
    node.destroy_node()
    context.try_shutdown()
    return value


file = ["--params-file", sys.argv[1]]
bare, full, other = ["-p", "horizon:=24"], ["-p", "node:horizon:=24"], ["-p", "model:=mine"]
seen = {
    "file, -p": horizon(*file, *bare),
    "-p, file": horizon(*bare, *file),
    "-p of another parameter, file, -p": horizon(*other, *file, *bare),
    "-p of another parameter, file, -p node:": horizon(*other, *file, *full),
    "-p node:, file": horizon(*full, *file),
    "file, -p of another parameter, -p": horizon(*file, *other, *bare),
}
print(f"rclpy {version('ros-rclpy')}")
for how, value in seen.items():
    print(f"  {how}: horizon {value}")
as_stated = list(seen.values()) == [24, 16, 16, 24, 16, 24]
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
export AMENT_PREFIX_PATH="$folder/venv" RMW_IMPLEMENTATION=rmw_fastrtps_cpp ROS_AUTOMATIC_DISCOVERY_RANGE=OFF
unset PYTHONPATH
"$folder/venv/bin/python" "$folder/node.py" "$folder/params.yaml"
