#!/usr/bin/env bash
# onnxruntime.InferenceSession and a GPU that is not there.
#
# The guess: a session for which only CUDA is named (providers=["CUDAExecutionProvider"]), with the fall-back disabled
# (enable_fallback=0), runs on CUDA or raises.
# The behaviour (onnxruntime 1.32.0): a session is made, computes on the CPU and raises nothing. `enable_fallback` is
# about errors of the constructor and of `run`; a provider that the build lacks, or that cannot start, is only a warning.
# The same was seen of onnxruntime-gpu 1.31.1 without a driver, whose warning goes to stderr.
# For our users: a robot would plan ten times slower, and no setting, log or return value of ours would say why.
# astra_ros reads the session's providers and its operators' places back (inference/onnx_providers.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.2.6
cat > "$folder/session.py" <<'PY'
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])
doubled = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])
graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "double", [value], [doubled])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CUDAExecutionProvider"], enable_fallback=0
        )
    except Exception as error:
        sys.exit(f"it raised, as guessed: {error}")
(made,) = session.run(None, {"x": np.ones(2, np.float32)})
print("onnxruntime", onnxruntime.__version__, "was asked for CUDA alone, and", session.get_providers(), "gave", made)
print("said:", [str(each.message).split(".")[0] for each in said])
sys.exit(session.get_providers() != ["CPUExecutionProvider"] or made.tolist() != [2, 2])
PY
"$folder/venv/bin/python" "$folder/session.py"
