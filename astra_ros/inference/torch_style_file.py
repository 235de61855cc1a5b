"""`style.safetensors` beside a model: the network that gives what was observed another look."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from astra_ros.files import atomic_write
from astra_ros.inference.card import ModelError
from astra_ros.world_model.digest import digest_of
from astra_ros.world_model.style_transfer import StyleConfig, StyleTransfer

STYLE_FILE = "style.safetensors"


def write_style(directory: Path, transfer: StyleTransfer, autoencoder: nn.Module) -> None:
    """Add `transfer`, trained on latents of `autoencoder`, to the model in `directory`, in 16-bit floats.

    Raises ModelError where that cannot be written.
    """
    path = directory / STYLE_FILE
    tensors = {
        name: value.detach().cpu().to(torch.float16).contiguous() for name, value in transfer.state_dict().items()
    }
    metadata = {
        "network": json.dumps(asdict(transfer.config)),
        "autoencoder": digest_of(autoencoder.state_dict()),
        "sha256": digest_of(tensors),
    }
    try:
        with atomic_write(path) as part:
            save_file(tensors, str(part), metadata=metadata)
            with open(part, "rb") as written:
                os.fsync(written.fileno())
            part.chmod(0o644)  # made private, but a node may run as another user
    except (OSError, SafetensorError) as error:
        cure = "repeat the command when it can be written, what was trained is kept"
        raise ModelError(f"cannot be written ({error})", thing=path, cure=cure) from error


def read_style(directory: Path, autoencoder: nn.Module) -> StyleTransfer:
    """Inverse of `write_style`.

    Raises ModelError where it is missing, damaged, or was trained on latents of another autoencoder.
    """
    path = directory / STYLE_FILE
    command = f"astra style {directory}"
    if not path.is_file():
        problem = "not there, so this model cannot take on the look of an image"
        raise ModelError(problem, thing=path, cure=f"train it with: {command}")
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        if metadata["autoencoder"] != digest_of(autoencoder.state_dict()):
            cure = f"delete it, or train it anew with: {command}"
            raise ModelError("trained with another autoencoder than that of the model beside it", thing=path, cure=cure)
        if metadata["sha256"] != digest_of(tensors):
            raise ValueError("its sha256 is another")
        transfer = StyleTransfer(StyleConfig(**json.loads(metadata["network"])))
        transfer.load_state_dict({name: value.float() for name, value in tensors.items()})
    except ModelError:
        raise
    except (SafetensorError, OSError, RuntimeError, ValueError, TypeError, KeyError) as error:
        cure = f"copy it again, or train it anew with: {command}"
        raise ModelError(f"damaged ({str(error).splitlines()[0]})", thing=path, cure=cure) from error
    return transfer.eval().requires_grad_(False)


def style_digest(directory: Path) -> str:
    """What a style is recognised by in results: the first 12 hex digits of the sha256 of its file."""
    return hashlib.sha256((directory / STYLE_FILE).read_bytes()).hexdigest()[:12]
