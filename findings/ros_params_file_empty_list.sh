#!/usr/bin/env bash
# An empty list in a ROS 2 parameters file.
#
# The guess: `names: []` sets the parameter to an empty list of strings, as `names: [a]` sets it to a list of one.
# The behaviour (rclpy 9.1.2 of ROS 2 Kilted): the parameter becomes one that is not set. It has neither the empty list
# nor the default that the node declared: its value is None, also where the node declared a list of strings, whose type
# rclpy holds fast otherwise. `-p "names:=[]"` does the same. The nearest that a file can say is [""].
# For our users: a node that goes through such a list fails with "'NoneType' object is not iterable". astra_ros takes a
# list that is not set for an empty one, so that `ignore_joints: []` in config/astra.yaml means what it says.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'ros-rclpy[fastrtps]==9.1.2' 'numpy<2.3'
cat > "$folder/params.yaml" <<'YAML'
/**:
  ros__parameters:
    full: [a]
    blank: [""]
    empty: []
YAML
cat > "$folder/node.py" <<'PY'
import sys
from importlib.metadata import version

import rclpy
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node

rclpy.init(args=["node", "--ros-args", *sys.argv[1:]])
node = Node("node")
any_type = ParameterDescriptor(dynamic_typing=True)
seen = {name: node.declare_parameter(name, ["default"], any_type).value for name in ("full", "blank", "empty")}
typed = Node("other", namespace="typed").declare_parameter("empty", ["default"])
print(f"rclpy {version('ros-rclpy')}, {sys.argv[1]}: {seen}; declared as a list of strings: {typed.type_.name} {typed.value}")
as_stated = seen["empty"] is None and typed.value is None and typed.type_.name == "NOT_SET"
if sys.argv[1] == "--params-file":
    as_stated &= seen["full"] == ["a"] and seen["blank"] == [""]
rclpy.shutdown()
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
export AMENT_PREFIX_PATH="$folder/venv" RMW_IMPLEMENTATION=rmw_fastrtps_cpp ROS_AUTOMATIC_DISCOVERY_RANGE=OFF
unset PYTHONPATH
"$folder/venv/bin/python" "$folder/node.py" --params-file "$folder/params.yaml"
"$folder/venv/bin/python" "$folder/node.py" -p 'empty:=[]'
