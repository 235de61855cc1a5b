#!/usr/bin/env bash
# OpenVINO's InferRequest.infer and memory that is short.
#
# The guess: where memory does not suffice for a run, infer raises (std::bad_alloc).
# The behaviour (openvino 2026.4.1, CPU): if the memory of the output can still be had, and that of the arrays between
# cannot, infer raises nothing and returns the result of the run before. Its size is then that of the earlier input.
# For our users: scores of an older request would be taken for those of the new one. astra_ros compares the sizes, and
# uses no further result of an engine to which this happened (inference/openvino_engine.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openvino==2026.4.1 onnx==1.23.2 numpy==2.2.6
cat > "$folder/short.py" <<'PY'
import os
import resource
import sys

import numpy as np
import openvino
from onnx import TensorProto, helper, numpy_helper

nodes, last = [], "x"
for k in range(4):
    nodes += [helper.make_node("MatMul", [last, "w"], [f"m{k}"]), helper.make_node("Softplus", [f"m{k}"], [f"s{k}"])]
    last = f"s{k}"
nodes.append(helper.make_node("Identity", [last], ["y"]))
value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 256])
result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
weights = numpy_helper.from_array(np.eye(256, dtype=np.float32), "w")
graph = helper.make_graph(nodes, "chain", [value], [result], [weights])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
core = openvino.Core()
compiled = core.compile_model(core.read_model(model.SerializeToString()), "CPU", {"INFERENCE_NUM_THREADS": 1})
request = compiled.create_infer_request()
large = np.full((200_000, 256), 2, np.float32)
request.infer([np.ones((4, 256), np.float32)])
used = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[1]) * 2**20, -1))
try:
    made = next(iter(request.infer([large]).values()))
    print("openvino", openvino.__version__, f"with {sys.argv[1]} MB left gave", made.shape, "for", large.shape)
    sys.exit(made.shape == large.shape)
except Exception as error:
    sys.exit(f"with {sys.argv[1]} MB left it raised: {str(error).strip().splitlines()[-1]}")
PY
for left in 250 220 280 310 350; do
    if "$folder/venv/bin/python" "$folder/short.py" "$left"; then
        exit 0
    fi
done
exit 1
