"""Run an exported model with ONNX Runtime, on a CPU or a CUDA device."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnxruntime

from astra_ros.inference.card import ModelCard, ModelError
from astra_ros.inference.exported_engine import ExportedEngine, Value
from astra_ros.inference.onnx_arrays import DeviceArray
from astra_ros.inference.onnx_providers import (
    CPU,
    GPU_CURE,
    NOTE_PLACES,
    Provider,
    check_places,
    check_provider,
    load_cuda_libraries,
    provider_of,
)

# Outputs that only other graphs read: they stay on the device. None: all of a graph's.
STAY: dict[str, tuple[str, ...] | None] = {
    "remember": None,
    "robot_tokens": None,
    "denoise": ("features",),
    "denoise_moving": ("features",),
}


class OnnxEngine(ExportedEngine):
    """The ONNX Runtime implementation of `Engine`."""

    name = "onnx"
    precision = "float32"

    def __init__(self, card: ModelCard, device: str) -> None:
        self.device = device
        self._provider = self._provider_of(device)
        self._check()
        if self._provider.name != CPU:
            load_cuda_libraries()
            self.renders_at_once = 4096
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}
        self._outputs: dict[str, list[tuple[str, bool]]] = {}  # of each graph: name, and whether it stays
        self._elsewhere: Counter[str] = Counter()  # operators that another provider runs, by its name
        super().__init__(card, device)
        details = [f"onnxruntime {onnxruntime.__version__}", self._provider.name, self.precision]
        if self._provider.name == CPU:
            details.append(f"{self._threads()} threads")
        else:
            details += [f"{count} operators by {name}" for name, count in self._elsewhere.items()]
        self.runs_on = ", ".join(details)

    def _provider_of(self, device: str) -> Provider:
        return provider_of(device)

    def _check(self) -> None:
        check_provider(self._provider.name, self.device)

    def _providers(self, graph: str) -> list[Provider]:
        """Those that may run a graph, the one that is asked for first."""
        return [self._provider]

    def _loads_at_once(self, graph: str) -> bool:
        # On a GPU all, since what another provider would run there is said, or refused, with the engine.
        return self._provider.name != CPU or super()._loads_at_once(graph)

    def _load(self, graph: str, file: Path) -> None:
        providers = self._providers(graph)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads()
        options.inter_op_num_threads = 1
        # Threads that spin while they wait take a core from the node's other work.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry(NOTE_PLACES, "1")
        options.log_severity_level = 3  # errors; CUDA's remarks on shape operations are not for users
        try:
            # Without a fallback, or a provider that fails would be replaced by the CPU's.
            named = [(each.name, each.options) for each in providers]
            session = onnxruntime.InferenceSession(str(file), options, providers=named, enable_fallback=0)
        except Exception as error:  # onnxruntime's classes have no common base
            reason = str(error).strip().splitlines()[0]
            if self._provider.name != CPU:
                problem = f"{providers[0].name} cannot load '{graph}' ({reason})"
                raise ModelError(problem, thing=f"device '{self.device}'", cure=GPU_CURE) from error
            raise ModelError(f"cannot load it ({reason})", thing=file, cure="export the model again") from error
        self._elsewhere += check_places(session, graph, providers[0].name, self.device)
        stay = STAY.get(graph, ())
        self._outputs[graph] = [(each.name, stay is None or each.name in stay) for each in session.get_outputs()]
        self._sessions[graph] = session

    def _infer(self, graph: str, inputs: dict[str, Value]) -> dict[str, Value]:
        session, place, outputs = self._sessions[graph], self._provider.place, self._outputs[graph]
        # A new one each time: a binding writes into the results of its last run.
        binding = session.io_binding()
        for each in session.get_inputs():
            value = inputs[each.name]
            if isinstance(value, DeviceArray):
                value.bind(binding, each.name, place)
            else:
                binding.bind_cpu_input(each.name, value)
        for name, stays in outputs:
            binding.bind_output(name, *(place if stays else ("cpu", 0)))
        session.run_with_iobinding(binding)
        values = zip(outputs, binding.get_outputs())
        return {name: DeviceArray(value) if stays else value.numpy() for (name, stays), value in values}
