#!/usr/bin/env bash
# PyBullet's numSubSteps and the largest force of a motor.
#
# The guess: numSubSteps divides a step for accuracy and leaves the forces as they are: with it, a motor with force=10
# still pushes with at most 10 N.
# The behaviour (pybullet 3.2.7): with N substeps the motors of VELOCITY_CONTROL and POSITION_CONTROL push with up to N times
# their force. A motor of 10 N accelerates 1 kg by 100 m/s^2 with 10 substeps, and holds a weight of 30 N. getJointState
# reports an N-th of what it applies: 10 N in the first case, 3 N in the second. Gravity, TORQUE_CONTROL,
# applyExternalForce and a smaller setTimeStep are right. A setTimeStep after the motor's command does the same harm: the
# command keeps the impulse of the older step.
# For our users: an arm in a simulator with substeps lifts and squeezes N times as hard, and its log says that it keeps its
# limits. A policy that was trained there meets a far weaker robot. astra_ros makes the time step itself smaller, before
# the first command (docs/add-a-world.md).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'pybullet==3.2.7' 'numpy<2.3'
cat > "$folder/substeps.py" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

import pybullet as p

LINK = '<link name="{}"><inertial><mass value="1"/><inertia ixx="0.01" iyy="0.01" izz="0.01" ixy="0" ixz="0" iyz="0"/></inertial></link>'
FILE = Path(sys.argv[1]) / "slide.urdf"
FILE.write_text(f'<robot name="r">{LINK.format("base")}{LINK.format("l")}<joint name="j" type="prismatic"><parent link="base"/>'
                '<child link="l"/><axis xyz="1 0 0"/><limit lower="-100" upper="100" effort="10" velocity="100"/></joint></robot>')


def slide(substeps):
    """1 kg that slides along x, without friction or damping and with its motor off."""
    p.resetSimulation()
    p.setTimeStep(1 / 240)
    p.setPhysicsEngineParameter(numSubSteps=substeps)
    robot = p.loadURDF(str(FILE), useFixedBase=True)
    p.changeDynamics(robot, 0, jointDamping=0, linearDamping=0, angularDamping=0)
    p.setJointMotorControl2(robot, 0, p.VELOCITY_CONTROL, force=0)
    return robot


def speed(robot, steps):
    for _ in range(steps):
        p.stepSimulation()
    return round(p.getJointState(robot, 0)[1], 2)


def driven(robot):
    """m/s after 0.1 s with a motor of 10 N, 1 by Newton; and the force that is reported."""
    p.setJointMotorControl2(robot, 0, p.VELOCITY_CONTROL, targetVelocity=100, force=10)
    return speed(robot, 24), round(p.getJointState(robot, 0)[3], 2)


def pushed(robot, mode):
    """m/s after 0.1 s with 10 N: 1 by Newton."""
    for _ in range(24):
        if mode == "torque":
            p.setJointMotorControl2(robot, 0, p.TORQUE_CONTROL, force=10)
        else:
            p.applyExternalForce(robot, 0, [10, 0, 0], [0, 0, 0], p.LINK_FRAME)
        p.stepSimulation()
    return speed(robot, 0)


def hold(robot):
    """m/s after 1 s with a motor of 10 N against a weight of 30 N: -20 by Newton; and the force that is reported."""
    p.setGravity(-30, 0, 0)
    p.setJointMotorControl2(robot, 0, p.POSITION_CONTROL, targetPosition=0, force=10)
    return abs(speed(robot, 240)), round(p.getJointState(robot, 0)[3], 2)


p.connect(p.DIRECT)
print("pybullet", version("pybullet"))
found = {}
for substeps in (0, 4, 10):
    pushes = (pushed(slide(substeps), mode) for mode in ("torque", "external"))
    found[substeps] = (*pushes, *driven(slide(substeps)), *hold(slide(substeps)))
    torque, external, motor, drives, falls, holds = found[substeps]
    print(f"{substeps} substeps: 10 N for 0.1 s give {torque} m/s by TORQUE_CONTROL, {external} by applyExternalForce, {motor} by "
          f"the motor, which reports {drives} N; against 30 N it slips at {falls} m/s, and reports {holds} N")
robot = slide(0)
p.setJointMotorControl2(robot, 0, p.VELOCITY_CONTROL, targetVelocity=100, force=10)
p.setTimeStep(1 / 2400)
late = speed(robot, 240)
print("time step made ten times smaller after the motor's command:", late, "m/s")
as_stated = found == {0: (1, 1, 1, 10, 20, 10), 4: (1, 1, 4, 10, 0, 7.5), 10: (1, 1, 10, 10, 0, 3)}
sys.exit(not as_stated or late != 10)
PY
"$folder/venv/bin/python" "$folder/substeps.py" "$folder"
