"""Weights files that a metric is defined by: given by path, known by sha256, never downloaded.

LPIPS and FVD are distances in the feature space of one particular trained network: with other weights
the numbers mean nothing beside published ones. So a file that is not the published one, byte for byte,
is refused.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch


class MetricError(RuntimeError):
    """Weights or pictures that a metric cannot use; names the file, what was found, what to do."""


class Published(NamedTuple):
    """A file that a metric is defined by."""

    what: str
    size: int  # bytes
    sha256: str


class WeightsFile(NamedTuple):
    """What a result file says of the weights it was made with."""

    file: str
    sha256: str
    official: bool


def read_weights(
    path: Path, published: Published, official: bool, copy: Published | None = None
) -> tuple[bytes, WeightsFile]:
    """Contents of a weights file; a MetricError where `official` and it is not `published`.

    `copy` is another file that holds the same weights, and is as good.
    """
    try:
        # At once: what was hashed is then what is loaded.
        data = Path(path).read_bytes()
    except OSError as error:
        raise MetricError(f"{path}: cannot be read ({error.strerror}); expected {published.what}") from error
    digest = hashlib.sha256(data).hexdigest()
    known = [published, *([copy] if copy else [])]
    found = any(digest == file.sha256 for file in known)
    if official and not found:
        expected = ", or ".join(f"{file.what}, {file.size} bytes with sha256 {file.sha256}" for file in known)
        raise MetricError(
            f"{path}: found {len(data)} bytes with sha256 {digest}; expected {expected}. It is another file or "
            "a damaged download, and would make another metric: get the file from that project"
        )
    return data, WeightsFile(Path(path).name, digest, found)


def tensors_in(
    path: Path, data: bytes, shapes: dict[str, tuple[int, ...]], published: Published, device: str
) -> dict[str, torch.Tensor]:
    """The tensors named in `shapes` from a .pth file; others in it are left alone."""
    try:
        # weights_only: tensors and containers; a pickle that names a function is refused.
        found = torch.load(io.BytesIO(data), map_location=device, weights_only=True)
    except Exception as error:  # damaged bytes raise nearly anything
        reason = str(error).strip() or type(error).__name__
        raise MetricError(
            f"{path}: not a file of plain tensors ({reason.splitlines()[0]}); expected {published.what}"
        ) from error
    names = list(found) if isinstance(found, dict) else []
    for name, shape in shapes.items():
        size = tuple(getattr(found[name], "shape", ())) if name in names else "missing"
        if size != shape:
            raise MetricError(
                f"{path}: {name} is {size}, expected {shape}; found a "
                f"{type(found).__name__} of {len(names)} named entries, first "
                f"{names[:3]}; expected {published.what}"
            )
    return {name: found[name].float() for name in shapes}


class _Stored:
    """Stands for an array while it is unpickled: plain values, of which `array` makes the array."""

    def __setstate__(self, state: tuple) -> None:
        _, self.shape, self.dtype, self.by_columns, self.data = state

    def array(self) -> np.ndarray:
        if type(self.data) is not bytes or not isinstance(self.dtype, _Float32):
            raise pickle.UnpicklingError("it has an array that is not of plain float32")
        return np.frombuffer(self.data, "<f4").reshape(self.shape, order="F" if self.by_columns else "C")


class _Float32:
    """Stands for the only dtype that is read."""

    def __init__(self, name: str, *_: object):
        if name != "f4":
            raise pickle.UnpicklingError(f"it has numbers of dtype {name}, not f4")

    def __setstate__(self, state: tuple) -> None:
        if state[1] != "<":
            raise pickle.UnpicklingError(f"it has numbers of byte order {state[1]}, not <")


class _Arrays(pickle.Unpickler):
    """Reads a pickle of NumPy arrays and calls nothing of NumPy, whose own unpickling trusts the file."""

    # NumPy 2 moved the first; files written with NumPy 1 name its old place.
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


def arrays_in(path: Path, data: bytes, published: Published) -> dict:
    """Nested dicts of float32 arrays from a pickle of them, as Flax's checkpoints are; runs no code of it."""

    def made(value: object) -> object:
        if isinstance(value, dict):
            return {name: made(part) for name, part in value.items()}
        return value.array() if isinstance(value, _Stored) else value

    try:
        return made(_Arrays(io.BytesIO(data)).load())
    except Exception as error:  # damaged bytes raise nearly anything
        raise MetricError(f"{path}: not a file of plain arrays ({error}); expected {published.what}") from error
