"""Weights files that a metric is defined by: given by path, known by sha256, never downloaded.

LPIPS and FVD are distances in the feature space of one trained network. With other weights their numbers cannot be
compared with published ones, so a file is refused unless it is the published one, byte for byte.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from astra_ros.errors import UserError


class MetricError(UserError):
    """A metric cannot use a weights file, or the frames that it was given."""


class PublishedFile(NamedTuple):
    """A file that a metric is defined by: its name and where it is published, its bytes, its hash."""

    what: str
    size: int
    sha256: str

    def refused(self, path: Path, problem: str) -> MetricError:
        """The error of another file in its place."""
        return MetricError(problem, thing=path, cure=f"give {self.what}")


class WeightsFile(NamedTuple):
    """A weights file as result files name it."""

    file: str
    sha256: str
    official: bool


def read_weights(path: Path, official: bool, *known: PublishedFile) -> tuple[bytes, WeightsFile]:
    """The contents of a weights file.

    Args:
        official: refuse files other than `known`.
        known: files with the same weights, first the one that the metric is defined by.

    Raises MetricError where the file cannot be read or is refused.
    """
    try:
        # Read once, so that the bytes that are hashed are the bytes that are loaded.
        data = Path(path).read_bytes()
    except OSError as error:
        raise known[0].refused(path, f"cannot be read ({error.strerror})") from error
    digest = hashlib.sha256(data).hexdigest()
    found = any(digest == file.sha256 for file in known)
    if official and not found:
        expected = ", or ".join(f"{file.what}, {file.size} bytes with sha256 {file.sha256}" for file in known)
        problem = f"another file or a damaged download, {len(data)} bytes with sha256 {digest}"
        raise MetricError(problem, thing=path, cure=f"give {expected}")
    return data, WeightsFile(Path(path).name, digest, found)


def tensors_in(
    path: Path, data: bytes, shapes: Mapping[str, tuple[int, ...]], published: PublishedFile, device: str
) -> dict[str, torch.Tensor]:
    """The tensors named in `shapes` from a .pth file, which may hold others too."""
    try:
        # weights_only: tensors and containers; a pickle that names a function is refused.
        found = torch.load(io.BytesIO(data), map_location=device, weights_only=True)
    except Exception as error:  # damaged bytes raise nearly anything
        reason = str(error).strip() or type(error).__name__
        raise published.refused(path, f"not a file of plain tensors ({reason.splitlines()[0]})") from error
    names = list(found) if isinstance(found, dict) else []
    for name, shape in shapes.items():
        size = tuple(getattr(found[name], "shape", ())) if name in names else "missing"
        if size != shape:
            entries = f"a {type(found).__name__} of {len(names)} named entries, first {names[:3]}"
            raise published.refused(path, f"{name} is {size}, expected {shape}; found {entries}")
    return {name: found[name].float() for name in shapes}


class _Stored:
    """Stands in for an array while it is unpickled; `array` makes the array from its plain values."""

    def __setstate__(self, state: tuple) -> None:
        _, self.shape, self.dtype, self.by_columns, self.data = state

    def array(self) -> np.ndarray:
        if type(self.data) is not bytes or not isinstance(self.dtype, _Float32):
            raise pickle.UnpicklingError("an array is not plain float32")
        return np.frombuffer(self.data, "<f4").reshape(self.shape, order="F" if self.by_columns else "C")


class _Float32:
    """Stands in for the only dtype that is read."""

    def __init__(self, name: str, *_: object):
        if name != "f4":
            raise pickle.UnpicklingError(f"numbers have dtype {name}, not f4")

    def __setstate__(self, state: tuple) -> None:
        if state[1] != "<":
            raise pickle.UnpicklingError(f"numbers have byte order {state[1]}, not <")


class _Arrays(pickle.Unpickler):
    """Reads a pickle of NumPy arrays without NumPy's own unpickling, which trusts the file."""

    # NumPy 2 moved the first one; files written with NumPy 1 have its old name.
    STAND_INS = {
        ("numpy.core.multiarray", "_reconstruct"): lambda *_: _Stored(),
        ("numpy._core.multiarray", "_reconstruct"): lambda *_: _Stored(),
        ("numpy", "ndarray"): None,
        ("numpy", "dtype"): _Float32,
    }

    def find_class(self, module: str, name: str):
        if (module, name) not in self.STAND_INS:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return self.STAND_INS[module, name]


def arrays_in(path: Path, data: bytes, published: PublishedFile) -> dict:
    """Nested dicts of float32 arrays from a pickle, the format of Flax's checkpoints; runs no code from the file."""

    def made(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: made(part) for name, part in value.items()}
        return value.array() if isinstance(value, _Stored) else value

    try:
        return made(_Arrays(io.BytesIO(data)).load())
    except Exception as error:  # damaged bytes raise nearly anything
        raise published.refused(path, f"not a file of plain arrays ({error})") from error
