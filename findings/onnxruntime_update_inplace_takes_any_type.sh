#!/usr/bin/env bash
# OrtValue.update_inplace, which feeds a loop of control without new memory, and arrays of another type or shape.
#
# The guess: a float64 array for a float32 value is refused, as InferenceSession.run refuses it ("Unexpected input data
# type"), or converted. An image [H, W, 3] for a value [3, H, W] is refused too.
# The behaviour (onnxruntime 1.32.0, CPU): the bytes are copied as they are. The first half of the float64 numbers is read
# as pairs of float32: joints at 0.1, 0.2 ... become numbers such as -1.1e-19 and 1.45. Integers become numbers near 0. The
# image is scrambled. Nothing is raised, and the session runs.
# For our users: JointState and numpy have float64, and models float32. The function exists for CUDA graphs, where memory
# must stay, so the mistake comes with the step from a working `run` to a faster loop. astra_ros binds each array anew,
# where a wrong type raises (inference/onnx_engine.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.2.6
cat > "$folder/update.py" <<'PY'
import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

SHAPE = (3, 2, 4)
value = helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)
result = helper.make_tensor_value_info("y", TensorProto.FLOAT, SHAPE)
graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "same", [value], [result])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
right = (np.arange(1, 25, dtype=np.float32) / 10).reshape(SHAPE)


def by_run(array):
    try:
        return session.run(None, {"x": array})[0]
    except Exception as error:
        return type(error).__name__


def by_update(array):
    held = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros(SHAPE, np.float32))
    binding = session.io_binding()
    binding.bind_ortvalue_input("x", held)
    binding.bind_output("y")
    try:
        held.update_inplace(array)
        session.run_with_iobinding(binding)
        return binding.copy_outputs_to_cpu()[0]
    except Exception as error:
        return type(error).__name__


print("onnxruntime", onnxruntime.__version__)
found = {}
arrays = {
    "float32": right,
    "a transposed view": np.ascontiguousarray(right.transpose(1, 2, 0)).transpose(2, 0, 1),
    "float64": right.astype(np.float64),
    "int32": np.arange(1, 25, dtype=np.int32).reshape(SHAPE),
    "[H, W, 3]": np.ascontiguousarray(right.transpose(1, 2, 0)),
}
for name, array in arrays.items():
    run, update = by_run(array), by_update(array)
    shown = update if isinstance(update, str) else [float(f"{number:.3g}") for number in update.ravel()[:4]]
    found[name] = (run if isinstance(run, str) else "right", bool(np.array_equal(update, right)))
    print(f"{name}: run {found[name][0]}; update_inplace {'right' if found[name][1] else 'wrong'}, {shown}")
    if name == "float64":
        reinterpreted = np.array_equal(update.view(np.uint32).ravel(), array.ravel().view(np.uint32)[: array.size])
        print("these are the bytes of the float64 numbers:", reinterpreted)
refused = ("InvalidArgument", False)
as_stated = found == {"float32": ("right", True), "a transposed view": ("right", True), "float64": refused, "int32": refused,
                      "[H, W, 3]": refused}
sys.exit(not (as_stated and reinterpreted))
PY
"$folder/venv/bin/python" "$folder/update.py"
