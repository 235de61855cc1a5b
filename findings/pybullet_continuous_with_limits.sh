#!/usr/bin/env bash
# A joint of type "continuous" whose <limit> has lower and upper, in PyBullet.
#
# The guess: a continuous joint turns without end, whatever lower and upper say; URDF tells to leave them out, and
# exporters write them all the same.
# The behaviour (pybullet 3.2.7): getJointInfo calls it JOINT_REVOLUTE, as any other hinge, with these limits, and
# position control stops at them: told to go to 8 rad it stays at 3. Velocity control turns on through them, and
# resetJointState sets what it is told. Without lower and upper the limits are (0, -1), and it goes to 8.
# For our users: which joints turn without end cannot be asked of PyBullet, and a simulated driver of such a joint stops
# where the real one goes on. astra_ros reads the joint's type from the description itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'pybullet==3.2.7' 'numpy<2.3'
cat > "$folder/continuous.py" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

import pybullet as p

LINK = '<link name="{}"><inertial><mass value="1"/><inertia ixx="0.01" iyy="0.01" izz="0.01" ixy="0" ixz="0" iyz="0"/></inertial></link>'


def after_three_seconds(robot, **motor):
    p.resetJointState(robot, 0, 0.0)
    p.setJointMotorControl2(robot, 0, force=100, **motor)
    for _ in range(3 * 240):
        p.stepSimulation()
    return p.getJointState(robot, 0)[0]


p.connect(p.DIRECT)
print("pybullet", version("pybullet"))
found = {}
for name, limits in (("with limits", 'lower="-3" upper="3"'), ("without", "")):
    file = Path(sys.argv[1]) / f"{name}.urdf"
    file.write_text(f'<robot name="r">{LINK.format("base")}{LINK.format("l")}<joint name="j" type="continuous">'
                    f'<parent link="base"/><child link="l"/><axis xyz="0 0 1"/><limit {limits} effort="100" velocity="10"/>'
                    "</joint></robot>")
    robot = p.loadURDF(str(file), useFixedBase=True)
    info = p.getJointInfo(robot, 0)
    found[name] = (info[2] == p.JOINT_REVOLUTE, info[8:10],
                   round(after_three_seconds(robot, controlMode=p.POSITION_CONTROL, targetPosition=8), 1),
                   round(after_three_seconds(robot, controlMode=p.VELOCITY_CONTROL, targetVelocity=3), 1))
    print(f"{name}: revolute {found[name][0]}, limits {found[name][1]}, told to go to 8 rad: {found[name][2]}, "
          f"3 rad/s for 3 s: {found[name][3]}")
sys.exit(found != {"with limits": (True, (-3.0, 3.0), 3.0, 9.0), "without": (True, (0.0, -1.0), 8.0, 9.0)})
PY
"$folder/venv/bin/python" "$folder/continuous.py" "$folder"
