"""Run an exported model's transformer with TensorRT through ONNX Runtime, and the rest of it with CUDA."""

from __future__ import annotations

import onnxruntime

from astra_ros.inference.card import ModelCard, ModelError
from astra_ros.inference.engine_cache import EngineCache, engine_folder
from astra_ros.inference.exported_engine import Value
from astra_ros.inference.onnx_engine import OnnxEngine
from astra_ros.inference.onnx_providers import CPU, TENSORRT, Provider, check_provider, provider_of


class TensorRtEngine(OnnxEngine):
    """The same as `OnnxEngine` on CUDA, but TensorRT compiles the denoiser for the GPU, once for each range of sizes.

    ONNX Runtime compiles when a size first comes that is outside those seen so far.
    """

    name = "tensorrt"
    precision = "float32 with TF32 where TensorRT takes it"  # ONNX Runtime has no option against it

    def __init__(self, card: ModelCard, device: str) -> None:
        self._cache = EngineCache(engine_folder(card, f"onnxruntime {onnxruntime.__version__}"))
        self._seen: set[tuple] = set()  # sizes that TensorRT has engines for
        super().__init__(card, device)

    def _check(self) -> None:
        super()._check()
        self._cache.check()

    def _provider_of(self, device: str) -> Provider:
        cuda = provider_of(device)
        if cuda.name == CPU:
            raise ModelError("TensorRT runs on NVIDIA GPUs only", thing=f"device '{device}'", cure=_cure())
        options = {
            "device_id": cuda.options["device_id"],
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": str(self._cache.folder),
        }
        return Provider(TENSORRT, options, cuda.place)

    def _providers(self, graph: str) -> list[Provider]:
        cuda = provider_of(self.device)
        if not graph.startswith("denoise"):
            return [cuda]
        return [self._provider, cuda]

    def _infer(self, graph: str, inputs: dict[str, Value]) -> dict[str, Value]:
        size = (graph, inputs["noisy"].shape) if graph.startswith("denoise") else None
        if size is None or size in self._seen:
            return super()._infer(graph, inputs)
        requests, plans, frames = size[1][:3]
        with self._cache.compiling(f"'{graph}' for {requests} x {plans} plans of {frames} frames"):
            made = super()._infer(graph, inputs)
        self._seen.add(size)
        return made


def _cure() -> str:
    """What to do where no GPU was asked for: ask for one, where there is one."""
    try:
        check_provider(TENSORRT, "cuda")
    except ModelError as error:
        return f"take another backend, as a GPU cannot be used here: {error.problem}"
    return "give 'cuda'"
