#!/usr/bin/env bash
# Pinocchio's Coriolis matrix and Jacobian rates of a robot with a mimic joint.
#
# The guess: of a model built with mimic=True every algorithm is right, or raises "This algorithm does not support Joint
# Mimic type in the model.", as aba and computeMinverse do.
# The behaviour (pin 4.1.0): kinematics, Jacobians, rnea, crba, nonLinearEffects and gravity are right. Two more raise
# nothing and are wrong. computeCoriolisMatrix(q, v) @ v is not nonLinearEffects - gravity: here -0.047 instead of 0.091 at
# the leader. getFrameJacobianTimeVariation is right in the frame WORLD, and wrong in LOCAL and LOCAL_WORLD_ALIGNED. With
# the follower as a free joint, and its columns added to the leader's, all are right.
# For our users: an operational-space controller adds the Jacobian's rate times v, and an adaptive or passive one needs C.
# Both pass every test on an arm without a coupled joint. astra_ros takes neither of the two, and refuses to plan mimic
# joints and their leaders.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'pin==4.1.0' 'numpy<2.3'
cat > "$folder/mimic.py" <<'PY'
import sys

import numpy as np
import pinocchio as pin

MIMIC = '<mimic joint="a" multiplier="-2" offset="0.3"/>'
BODY = ('<inertial><origin xyz="0.1 0.02 0.03"/><mass value="2"/>'
        '<inertia ixx="0.1" iyy="0.12" izz="0.09" ixy="0.01" ixz="0" iyz="0"/></inertial>')


def joint(name, parent, axis, more=""):
    return (f'<joint name="{name}" type="revolute"><parent link="{parent}"/><child link="link_{name}"/>'
            f'<origin xyz="0.3 0 0.1"/><axis xyz="{axis}"/><limit lower="-2" upper="2" effort="10" velocity="5"/>{more}</joint>')


links = "".join(f'<link name="{name}">{BODY}</link>' for name in ("base", "link_a", "link_b", "link_c"))
urdf = (f'<robot name="arm">{links}{joint("a", "base", "0 1 0")}{joint("b", "link_a", "0 1 0", MIMIC)}'
        f'{joint("c", "link_b", "1 0 0")}</robot>')
coupled, free = pin.buildModelFromXML(urdf, mimic=True), pin.buildModelFromXML(urdf)
q, v = np.array([0.4, -0.7]), np.array([0.5, 1.1])
spread = np.array([[1, 0], [-2, 0], [0, 1]])  # from the two joints that move to all three
# Each model: its positions, its velocities, and what turns a result into one of the two joints that move.
MODELS = {"mimic=True": (coupled, q, v, np.eye(2)), "free": (free, spread @ q + [0, 0.3, 0], spread @ v, spread)}
FRAMES = (pin.WORLD, pin.LOCAL, pin.LOCAL_WORLD_ALIGNED)


def jacobian(model, q, frame):
    data = model.createData()
    pin.computeJointJacobians(model, data, q)
    pin.updateFramePlacements(model, data)
    return pin.getFrameJacobian(model, data, model.getFrameId("link_c"), frame).copy()


def rate(model, q, v, frame):
    data = model.createData()
    pin.computeJointJacobiansTimeVariation(model, data, q, v)
    pin.updateFramePlacements(model, data)
    return pin.getFrameJacobianTimeVariation(model, data, model.getFrameId("link_c"), frame).copy()


def torques(model, q, v):
    data = model.createData()
    return pin.rnea(model, data, q, v, 0 * v).copy()


def results(model, q, v, columns):
    data = model.createData()
    coriolis = pin.computeCoriolisMatrix(model, data, q, v).copy() @ v
    effects = pin.nonLinearEffects(model, data, q, v).copy()
    expected = effects - pin.computeGeneralizedGravity(model, data, q)
    print("  Coriolis matrix @ v", (columns.T @ coriolis).round(4), "expected", (columns.T @ expected).round(4))
    right, step = [bool(np.allclose(coriolis, expected))], 1e-6
    for frame in FRAMES:
        measured = (jacobian(model, q + step * v, frame) - jacobian(model, q - step * v, frame)) / (2 * step)
        error = np.abs((rate(model, q, v, frame) - measured) @ columns).max()
        print(f"  {frame}: the Jacobian's rate is {error:.3f} off that of two Jacobians")
        right.append(bool(error < 1e-6))
    return right


found = {}
print("pin", pin.__version__)
for name, values in MODELS.items():
    print(name)
    found[name] = results(*values)
ours, theirs = (torques(model, q, v) for model, q, v, _ in MODELS.values())
print("inverse dynamics agree:", bool(np.allclose(ours, spread.T @ theirs)))
try:
    data = coupled.createData()
    pin.aba(coupled, data, q, v, v)
    raised = False
except Exception as error:
    raised = True
    print("aba:", str(error).strip())
as_stated = found == {"mimic=True": [False, True, False, False], "free": [True] * 4}
sys.exit(not (as_stated and raised and np.allclose(ours, spread.T @ theirs)))
PY
"$folder/venv/bin/python" "$folder/mimic.py"
