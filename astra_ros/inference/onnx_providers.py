"""ONNX Runtime's execution providers: which one a device means, whether it can run here, and whether it really runs."""

from __future__ import annotations

import ctypes
import logging
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version

import onnxruntime

from astra_ros.inference.card import ModelError
from astra_ros.texts import listed

LOG = logging.getLogger(__name__)
CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
# Session option with which ONNX Runtime notes which provider runs which operator.
NOTE_PLACES = "session.record_ep_graph_assignment_info"
# Where one of these does not run on the GPU, the GPU was asked for in vain.
HEAVY = {"MatMul", "Gemm", "FusedMatMul", "Conv", "FusedConv", "ConvTranspose"}
GPU_CURE = (
    "install the NVIDIA driver, then onnxruntime-gpu alone with the CUDA and cuDNN that it needs (pip install "
    "'.[onnx-gpu]' in a checkout; for TensorRT its libraries too), or give 'cpu'; ONNX Runtime prints its own reason "
    "to stderr"
)


@dataclass(frozen=True)
class Provider:
    """Where graphs run: the provider's name and options, and the place of its arrays."""

    name: str
    options: dict[str, str] = field(default_factory=dict)
    place: tuple[str, int] = ("cpu", 0)  # kind and number of the device


def provider_of(device: str) -> Provider:
    """Raises ModelError for a device that ONNX Runtime does not know."""
    kind, _, number = device.partition(":")
    if device == "cpu":
        return Provider(CPU)
    if kind == "cuda" and (number.isdecimal() or device == "cuda"):
        # Without TF32, which keeps 10 bits of a float32's 23: what is called float32 here is float32.
        options = {"device_id": number or "0", "use_tf32": "0"}
        return Provider(CUDA, options, ("cuda", int(number or 0)))
    raise ModelError("ONNX Runtime does not know it", thing=f"device '{device}'", cure="give 'cpu', 'cuda' or 'cuda:1'")


def check_provider(provider: str, device: str) -> None:
    """Raises ModelError where ONNX Runtime, as installed, lacks the provider, or the machine its driver."""
    both = ""
    if len([name for name in ("onnxruntime", "onnxruntime-gpu") if _is_installed(name)]) > 1:
        both = "onnxruntime and onnxruntime-gpu are both installed, into one folder: the one installed last runs"
        LOG.warning(f"{both}; uninstall both, then install one of them")
    available = onnxruntime.get_available_providers()
    problem = ""
    if provider not in available:
        problem = f"ONNX Runtime {onnxruntime.__version__}, as installed, has no {provider} (it has {available})"
    elif provider != CPU and not _has_driver():
        problem = "no NVIDIA driver is installed here (libcuda.so.1)"
    if problem:
        raise ModelError(problem + (f"; {both}" if both else ""), thing=f"device '{device}'", cure=GPU_CURE)


@cache
def load_cuda_libraries() -> None:
    """CUDA and cuDNN as pip installs them: in folders where the dynamic linker does not look."""
    if hasattr(onnxruntime, "preload_dlls"):  # from 1.21 on
        onnxruntime.preload_dlls()


def check_places(session: onnxruntime.InferenceSession, graph: str, provider: str, device: str) -> Counter[str]:
    """How many operators of a graph other providers run in this one's stead, by their names; the log has which.

    Raises ModelError where it runs none, or the CPU one with much work: ONNX Runtime makes such sessions, and is
    silent.
    """
    if (runs := session.get_providers()[0]) != provider:
        problem = f"{provider} was asked for and {runs} runs '{graph}'"
        raise ModelError(problem, thing=f"device '{device}'", cure=GPU_CURE)
    places: dict[str, Counter[str]] = {}
    if provider != CPU and hasattr(session, "get_provider_graph_assignment_info"):
        for part in session.get_provider_graph_assignment_info():
            places.setdefault(part.ep_name, Counter()).update(node.op_type for node in part.get_nodes())
    heavy = sorted(HEAVY & places.get(CPU, Counter()).keys())
    if places and (heavy or provider not in places):
        names = listed(heavy or places)
        problem = f"{provider} was asked for, and " + (f"the CPU runs {names}" if heavy else f"{names} runs all")
        problem += f" of '{graph}'"
        raise ModelError(problem, thing=f"device '{device}'", cure="take backend 'torch', or give 'cpu'")
    elsewhere = {name: operators for name, operators in places.items() if name != provider}
    for name, operators in elsewhere.items():
        which = listed(f"{count} {operator}" for operator, count in operators.most_common())
        LOG.info(f"{name} runs some of '{graph}', not {provider}: {which}")
    return Counter({name: operators.total() for name, operators in elsewhere.items()})


def _has_driver() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
