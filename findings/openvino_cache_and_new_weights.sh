#!/usr/bin/env bash
# OpenVINO's CACHE_DIR and a model whose weights stand in a file of their own.
#
# The guess: the cache knows a model by its content, so new weights are compiled anew.
# The behaviour (openvino 2026.4.1, CPU): for compile_model("model.onnx") or ("model.xml") the key is made from the graph's
# file alone. If only the weights' file is replaced (external data of ONNX, the .bin of an IR), the old weights run, also in
# a new process. Nothing is said; the property LOADED_FROM_CACHE of the compiled model is the only sign.
# compile_model(read_model(path)) and CACHE_MODE=OPTIMIZE_SIZE take the new weights.
# For our users: a fine-tuned model has the same graph, byte for byte, so a copy that skips equal files (rsync --checksum, a
# layer of an image) brings the weights alone. The robot then runs the older model. astra_ros gives OpenVINO no cache.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openvino==2026.4.1 onnx==1.23.2 numpy==2.2.6
cat > "$folder/write.py" <<'PY'
import sys

import numpy as np
import onnx
import openvino
from onnx import TensorProto, helper, numpy_helper

values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 64]) for name in "xy"]
weights = numpy_helper.from_array(np.eye(64, dtype=np.float32), "w")
graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "product", values[:1], values[1:], [weights])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
file = f"{sys.argv[1]}/model.onnx"
onnx.save_model(model, file, save_as_external_data=True, location="model.data", size_threshold=0)
openvino.save_model(openvino.Core().read_model(file), f"{sys.argv[1]}/model.xml", compress_to_fp16=False)
PY
cat > "$folder/run.py" <<'PY'
import sys

import numpy as np
import openvino

folder, file, mode = sys.argv[1:4]
core = openvino.Core()
core.set_property({"CACHE_DIR": f"{folder}/cache_{file}_{mode}"})
if mode == "size":
    core.set_property({"CACHE_MODE": "OPTIMIZE_SIZE"})
path = f"{folder}/{file}"
compiled = core.compile_model(core.read_model(path) if mode == "read" else path, "CPU", {"INFERENCE_NUM_THREADS": 1})
print(int(compiled(np.ones((1, 64), np.float32))[0][0, 0]), compiled.get_property("LOADED_FROM_CACHE"))
PY
cat > "$folder/train.py" <<'PY'
import sys

import numpy as np

for name in ("model.data", "model.bin"):
    weights = np.fromfile(f"{sys.argv[1]}/{name}", np.float32)
    (3 * weights).tofile(f"{sys.argv[1]}/{name}")
PY
python=$folder/venv/bin/python
"$python" "$folder/write.py" "$folder"
for file in model.onnx model.xml; do
    for mode in path read size; do
        [ "$("$python" "$folder/run.py" "$folder" "$file" "$mode")" = "1 False" ]
    done
done
sleep 2
"$python" "$folder/train.py" "$folder"
echo "openvino 2026.4.1: the weights grew from 1 to 3 in their file"
for file in model.onnx model.xml; do
    for mode in path read size; do
        found=$("$python" "$folder/run.py" "$folder" "$file" "$mode")
        echo "$file, $mode: result and whether it is from the cache: $found"
        [ "$found" = "$([ "$mode" = path ] && echo "1 True" || echo "3 False")" ]
    done
done
echo "as stated"
