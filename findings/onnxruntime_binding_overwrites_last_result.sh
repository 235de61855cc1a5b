#!/usr/bin/env bash
# The outputs of ONNX Runtime's IOBinding, run after run.
#
# The guess: bind_output("y") without a buffer leaves the memory to ONNX Runtime, so each run gives new outputs, as
# InferenceSession.run does. get_outputs() "returns the output OrtValues from the Run() that preceded the call".
# The behaviour (onnxruntime 1.32.0, CPU): the first run's output becomes the buffer of all later ones. The OrtValue of the
# first run, and the numpy array that was taken from it, then show the second run's result. An input of another size fails
# with INVALID_ARGUMENT, which speaks of "pre-allocated output OrtValues". copy_outputs_to_cpu copies. bind_output before
# each run, or a new binding, gives new memory.
# For our users: who keeps the last latents, masks or flow and compares them with the new ones compares a result with itself:
# nothing ever moves, the change is 0. astra_ros makes a binding for each run (inference/onnx_engine.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.2.6
cat > "$folder/binding.py" <<'PY'
import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 4]) for name in "xy"]
graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "double", values[:1], values[1:])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def step(binding, value, rows=2):
    """The output of a run with an input of equal values."""
    binding.bind_cpu_input("x", np.full((rows, 4), value, np.float32))
    session.run_with_iobinding(binding)
    return binding.get_outputs()[0]


def two_runs(again):
    """The first run's result and a copy of it, then the second's: each by its first number, once both are done."""
    binding = session.io_binding()
    binding.bind_output("y")
    first = step(binding, 1)
    array, (copied,) = first.numpy(), binding.copy_outputs_to_cpu()
    if again:
        binding.bind_output("y")
    second = step(binding, 5).numpy()
    return [float(each[0, 0]) for each in (first.numpy(), array, copied, second)]


print("onnxruntime", onnxruntime.__version__)
once, again = two_runs(False), two_runs(True)
for name, found in (("bound once", once), ("bound before each run", again)):
    print(f"{name}: after the second run the first one's OrtValue is {found[0]}, its array {found[1]}, the copy {found[2]}; "
          f"the second one's {found[3]}")
binding = session.io_binding()
binding.bind_output("y")
step(binding, 1)
try:
    step(binding, 1, rows=3)
    refused = False
except RuntimeError as error:
    refused = "pre-allocated output" in str(error)
    print("three rows after two:", str(error).split("INVALID_ARGUMENT : ")[-1].split(".")[0])
sys.exit(not (once == [10, 10, 2, 10] and again == [2, 2, 2, 10] and refused))
PY
"$folder/venv/bin/python" "$folder/binding.py"
