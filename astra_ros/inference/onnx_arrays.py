"""Arrays that stay where ONNX Runtime made them, from one graph to the next."""

from __future__ import annotations

import math

import numpy as np
from onnxruntime import IOBinding, OrtValue


class DeviceArray:
    """A float32 array on ONNX Runtime's device. It changes its shape there, and comes to numpy when it is read."""

    def __init__(self, value: OrtValue, shape: tuple[int, ...] | None = None) -> None:
        self._value = value
        self.shape = tuple(value.shape()) if shape is None else shape

    def reshape(self, *shape: int) -> DeviceArray:
        size = math.prod(self.shape)
        known = math.prod(each for each in shape if each != -1)
        whole = tuple(size // known if each == -1 else each for each in shape)
        if math.prod(whole) != size:
            raise ValueError(f"cannot reshape {self.shape} to {shape}")
        return DeviceArray(self._value, whole)

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        values = self._value.numpy().reshape(self.shape)
        return values if dtype is None else values.astype(dtype, copy=False)

    def bind(self, binding: IOBinding, name: str, place: tuple[str, int]) -> None:
        """Give it to a graph as an input, without a copy. It must live until the graph has run."""
        binding.bind_input(name, *place, np.float32, list(self.shape), self._value.data_ptr())
