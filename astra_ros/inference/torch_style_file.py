"""`style.safetensors` beside a model: the network that gives what was observed another look."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from astra_ros.inference.base import ModelError
from astra_ros.world_model.digest import digest_of
from astra_ros.world_model.style import StyleConfig, StyleTransfer

STYLE_FILE = "style.safetensors"


def write_style(directory: Path, transfer: StyleTransfer, autoencoder: nn.Module) -> None:
    """Add `transfer`, trained on latents of `autoencoder`, to the model in `directory`, in 16-bit floats.

    Raises ModelError where that cannot be written.
    """
    path = directory / STYLE_FILE
    part = path.with_suffix(".part")
    tensors = {
        name: value.detach().cpu().to(torch.float16).contiguous() for name, value in transfer.state_dict().items()
    }
    try:
        save_file(
            tensors,
            str(part),
            metadata={
                "network": json.dumps(transfer.config.to_dict()),
                "autoencoder": digest_of(autoencoder.state_dict()),
                "sha256": digest_of(tensors),
            },
        )
        with open(part, "rb") as written:
            os.fsync(written.fileno())
        part.chmod(0o644)  # made private, but a node may run as another user
        os.replace(part, path)
    except (OSError, SafetensorError) as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise ModelError(
            f"{path}: cannot be written ({error}); repeat the command when it can, what was trained is kept"
        ) from error


def read_style(directory: Path, autoencoder: nn.Module) -> StyleTransfer:
    """Inverse of `write_style`.

    Raises ModelError where there is none, or it is damaged, or was trained on latents of another autoencoder.
    """
    path = directory / STYLE_FILE
    command = f"astra style {directory}"
    if not path.is_file():
        raise ModelError(
            f"'{directory}': this model cannot take on the look of a picture, since it has no "
            f"{STYLE_FILE}; train it with: {command}"
        )
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        if metadata["autoencoder"] != digest_of(autoencoder.state_dict()):
            raise ModelError(
                f"{path}: was trained with another autoencoder than that of the model beside it; delete "
                f"it, or train it anew with: {command}"
            )
        if metadata["sha256"] != digest_of(tensors):
            raise ValueError("its sha256 is another")
        transfer = StyleTransfer(StyleConfig(**json.loads(metadata["network"])))
        transfer.load_state_dict({name: value.float() for name, value in tensors.items()})
    except ModelError:
        raise
    except (SafetensorError, OSError, RuntimeError, ValueError, TypeError, KeyError) as error:
        raise ModelError(
            f"{path}: damaged, or of an older version ({str(error).splitlines()[0]}); copy it again, or "
            f"train it anew with: {command}"
        ) from error
    return transfer.eval().requires_grad_(False)


def style_digest(directory: Path) -> str:
    """What a style is recognised by in results: the first 12 hex digits of the sha256 of its file."""
    return hashlib.sha256((directory / STYLE_FILE).read_bytes()).hexdigest()[:12]
