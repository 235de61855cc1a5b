"""Run an exported model with ONNX Runtime, on a CPU or a CUDA device."""

from __future__ import annotations

import logging
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import onnxruntime

from astra_ros.inference.card import ModelCard, ModelError
from astra_ros.inference.exported_engine import ExportedEngine

LOG = logging.getLogger(__name__)
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


class OnnxEngine(ExportedEngine):
    """The ONNX Runtime implementation of `Engine`."""

    name = "onnx"

    def __init__(self, card: ModelCard, device: str) -> None:
        self.device = device
        self._provider = _provider_of(device)
        _check_provider(self._provider[0], device)
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}
        super().__init__(card, device)
        threads = f", {self._threads()} threads" if self._provider[0] == CPU else ""
        self.runs_on = f"onnxruntime {onnxruntime.__version__}, {self._provider[0]}, float32{threads}"

    def _load(self, graph: str, file: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads()
        options.inter_op_num_threads = 1
        # Threads that spin while they wait take a core from the node's other work.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3  # errors; CUDA's remarks on shape operations are not for users
        try:
            session = onnxruntime.InferenceSession(str(file), options, providers=[self._provider])
        except Exception as error:  # onnxruntime's classes have no common base
            reason = str(error).strip().splitlines()[0]
            raise ModelError(f"cannot load it ({reason})", thing=file, cure="export the model again") from error
        # Without this, a provider that fails while it runs is replaced by the CPU's without a word.
        session.disable_fallback()
        if (runs := session.get_providers()[0]) != self._provider[0]:
            problem = f"{self._provider[0]} was asked for and {runs} runs '{graph}'"
            raise ModelError(problem, thing=f"device '{self.device}'", cure=_CUDA_CURE)
        self._sessions[graph] = session

    def _infer(self, graph: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        session = self._sessions[graph]
        wanted = {each.name for each in session.get_inputs()}
        names = [each.name for each in session.get_outputs()]
        feed = {name: value for name, value in inputs.items() if name in wanted}
        return dict(zip(names, session.run(names, feed)))


_CUDA_CURE = "install onnxruntime-gpu alone, with the CUDA and cuDNN that it names, or give 'cpu'"


def _provider_of(device: str) -> tuple[str, dict[str, str]]:
    kind, _, number = device.partition(":")
    if device == "cpu":
        return CPU, {}
    if kind == "cuda" and (number.isdecimal() or device == "cuda"):
        return CUDA, {"device_id": number or "0"}
    raise ModelError("ONNX Runtime does not know it", thing=f"device '{device}'", cure="give 'cpu', 'cuda' or 'cuda:1'")


def _check_provider(provider: str, device: str) -> None:
    """Raises ModelError where ONNX Runtime, as installed, lacks the provider."""
    installed = [name for name in ("onnxruntime", "onnxruntime-gpu") if _is_installed(name)]
    both = ""
    if len(installed) > 1:
        both = "onnxruntime and onnxruntime-gpu are both installed, into one folder: the one installed last runs"
        LOG.warning(f"{both}; uninstall both, then install one of them")
    available = onnxruntime.get_available_providers()
    if provider not in available:
        problem = f"ONNX Runtime {onnxruntime.__version__}, as installed, has no {provider} (it has {available})"
        problem += f"; {both}" if both else ""
        raise ModelError(problem, thing=f"device '{device}'", cure=_CUDA_CURE)


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
