"""Run an exported model with OpenVINO on a CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino

from astra_ros.inference.card import ModelCard, ModelError
from astra_ros.inference.engine_failures import EngineSpent
from astra_ros.inference.exported_engine import ExportedEngine

_NAMES = {"f32": "float32", "bf16": "bfloat16"}
# Beside a process that keeps a core busy, pinned threads took 1.6 times as long as free ones. Without CACHE_DIR:
# compiled graphs that were read again are reported to give other numbers, old weights may run where only their file is
# new (findings/openvino_cache_and_new_weights.sh), and compiling takes a second or two.
_SHARING = {"PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False}
# Graphs that stay in 32-bit floats: places of pixels need all digits, and images are to be looked at.
_OF_PIXELS = ("reproject", "composite", "decode")


class OpenVinoEngine(ExportedEngine):
    """The OpenVINO implementation of `Engine`, in 32-bit floats."""

    name = "openvino"
    precision = "f32"

    def __init__(self, card: ModelCard, device: str) -> None:
        if device != "cpu":
            raise ModelError(f"backend '{self.name}' runs on 'cpu'", thing=f"device '{device}'", cure="give 'cpu'")
        self.device = device
        self._core = openvino.Core()
        self._requests: dict[str, openvino.InferRequest] = {}
        # Why nothing is run any more, or ''. Where memory is short, OpenVINO 2026.4.1 raises, or gives the result of an
        # earlier run without a word. It goes on like that, also with new requests and smaller sizes.
        self._spent = ""
        super().__init__(card, device)
        threads = self._requests["encode"].get_compiled_model().get_property("INFERENCE_NUM_THREADS")
        release = openvino.__version__.split("-")[0]
        self.runs_on = f"openvino {release}, CPU, {_NAMES[self.precision]}, {threads} threads"

    def _load(self, graph: str, file: Path) -> None:
        precision = "f32" if graph.startswith(_OF_PIXELS) else self.precision
        settings = _SHARING | {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": self._threads()}
        try:
            compiled = self._core.compile_model(self._core.read_model(file), "CPU", settings)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise ModelError(f"cannot load it ({reason})", thing=file, cure="export the model again") from error
        runs = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        if runs != precision:
            problem = f"{precision} was asked for and {runs} runs: the CPU does not have it"
            raise ModelError(problem, thing=self._thing, cure="take backend 'openvino'")
        self._requests[graph] = compiled.create_infer_request()

    def _infer(self, graph: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if self._spent:
            raise self._spent_error()
        request = self._requests[graph]
        # By number: an input that is left out, as under one of its other names, counts as empty without a word.
        feed = [next(inputs[name] for name in each.names if name in inputs) for each in request.model_inputs]
        sized = next(iter(inputs.values())).shape[: 3 if graph.startswith("denoise") else 1]
        try:
            made = request.infer(feed, share_inputs=True)
        except Exception as error:
            self._spent = f"failed in '{graph}' ({(str(error).strip() or type(error).__name__).splitlines()[-1]})"
            raise self._spent_error() from error
        if any(values.shape[: len(sized)] != sized for values in made.values()):
            self._spent = f"gave the result of an earlier run for '{graph}', as it does where memory is short"
            raise self._spent_error()
        return {name: values for output, values in made.items() for name in output.names}

    def _spent_error(self) -> EngineSpent:
        cure = "start anew, with fewer plans or a shorter horizon, or take another backend"
        return EngineSpent(f"{self._spent}; no further result can be trusted", thing=self._thing, cure=cure)


class OpenVinoBf16Engine(OpenVinoEngine):
    """The same in bfloat16, but for pixels: for CPUs that have it, where less exact latents are good enough."""

    name = "openvino-bf16"
    precision = "bf16"
