#!/usr/bin/env bash
# A URDF joint that mimics a joint which itself mimics another.
#
# The guess: libraries that read <mimic> follow the chain to the joint that is moved, or say that they cannot.
# The behaviour: three libraries, three answers, and none of them is that one.
#   yourdfpy 0.0.60  follows the first link of the chain; all behind it stay at their offset. It logs a warning
#                    ("is not actuated - will assume (0.0 + offset)"), raises nothing and returns the wrong pose.
#                    Joints that mimic each other in a circle load too, as a robot without joints to move.
#   pin 4.1.0        (Pinocchio) refuses with mimic=True, by a message that names no joint ("wrong argument size:
#                    expected 0, got 1"), and with the default mimic=False takes every mimic joint for a free one.
#   pybullet 3.2.7   ignores <mimic>: all followers stay at 0.
# For our users: a gripper whose finger tips mimic fingers that mimic a knuckle is posed wrongly by each of
# them. astra_ros follows the chain itself, and refuses a circle by name.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'yourdfpy==0.0.60' 'pin==4.1.0' 'pybullet==3.2.7' 'numpy<2.3'
cat > "$folder/chain.py" <<'PY'
import io
import logging
import sys
from importlib.metadata import version

import numpy as np
import pinocchio
import pybullet
from yourdfpy import URDF

logging.disable(logging.CRITICAL)
mass = '<inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial>'
links = "".join(f'<link name="{name}">{mass}</link>' for name in ("base", "a", "b", "c"))


def joint(name, parent, child, mimic=""):
    return (f'<joint name="{name}" type="revolute"><parent link="{parent}"/><child link="{child}"/><origin xyz="1 0 0"/>'
            f'<axis xyz="0 0 1"/><limit lower="-3" upper="3" effort="1" velocity="1"/>{mimic}</joint>')


def robot(first=""):
    return (f'<robot name="fingers">{links}{joint("one", "base", "a", first)}'
            + joint("two", "a", "b", '<mimic joint="one" multiplier="0.5" offset="0.1"/>')
            + joint("three", "b", "c", '<mimic joint="two" multiplier="2" offset="0.3"/>') + "</robot>")


one = 0.6
two = 0.5 * one + 0.1
three = 2 * two + 0.3
true_angle = one + two + three          # of the last link, about z: 2.1 rad
half_angle = one + two + 0.3            # where the third stays at its offset


def angle(turn):
    return float(np.arctan2(turn[1, 0], turn[0, 0]))


urdf = URDF.load(io.BytesIO(robot().encode()), load_meshes=False)
urdf.update_cfg({"one": one})
seen = angle(urdf.get_transform("c", "base"))
circle = URDF.load(io.BytesIO(robot('<mimic joint="three"/>').encode()), load_meshes=False)
print(f"yourdfpy {version('yourdfpy')}: the last link is turned by {seen:.4f} rad, it should be {true_angle:.4f}; "
      f"a circle has the actuated joints {circle.actuated_joint_names}")
as_stated = abs(seen - half_angle) < 1e-6 and circle.actuated_joint_names == []

free = pinocchio.buildModelFromXML(robot())
try:
    pinocchio.buildModelFromXML(robot(), mimic=True)
    said = "no error"
except ValueError as error:
    said = str(error)
print(f"pin {pinocchio.__version__}: by default {free.nq} free joints; with mimic=True: {said.splitlines()[-3:]}")
as_stated &= free.nq == 3 and "wrong argument size" in said and not any(name in said for name in ("'two'", "'three'"))

with open(sys.argv[1], "w") as file:
    file.write(robot())
pybullet.connect(pybullet.DIRECT)
body = pybullet.loadURDF(sys.argv[1], useFixedBase=True)
pybullet.resetJointState(body, 0, one)
for _ in range(10):
    pybullet.stepSimulation()
places = [pybullet.getJointState(body, index)[0] for index in range(3)]
print(f"pybullet {version('pybullet')}: joints at {places}, they should be {[one, round(two, 3), round(three, 3)]}")
as_stated &= abs(places[1]) < 1e-3 and abs(places[2]) < 1e-3
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
"$folder/venv/bin/python" "$folder/chain.py" "$folder/chain.urdf"
