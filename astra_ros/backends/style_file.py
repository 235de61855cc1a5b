"""`style.safetensors` beside a model: the network that gives what was observed another look."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from astra_ros.backends.base import ModelCard, ModelError
from astra_ros.world_model.style import StyleConfig, StyleTransfer

STYLE_FILE = 'style.safetensors'


def write_style(card: ModelCard, transfer: StyleTransfer) -> None:
    """Add `transfer` to the model of `card`, in 16-bit floats. Raises ModelError where that cannot be written."""
    path = card.path / STYLE_FILE
    part = path.with_suffix('.part')
    tensors = {name: value.detach().cpu().to(torch.float16).contiguous()
               for name, value in transfer.state_dict().items()}
    try:
        save_file(tensors, str(part), metadata={'network': json.dumps(transfer.config.to_dict()), 'of': card.sha256,
                                                'sha256': _digest(tensors)})
        with open(part, 'rb') as written:
            os.fsync(written.fileno())
        part.chmod(0o644)       # made private, but a node may run as another user
        os.replace(part, path)
    except (OSError, SafetensorError) as error:
        part.unlink(missing_ok=True)
        raise ModelError(f'{path}: cannot be written ({error}); repeat the command when it can, what was trained is '
                         'kept') from error


def read_style(card: ModelCard) -> StyleTransfer:
    """Inverse of `write_style`. Raises ModelError where the model has none, or one that is damaged or another's."""
    path: Path = card.path / STYLE_FILE
    command = f'astra style {card.path}'
    if not path.is_file():
        raise ModelError(f"model '{card.name}' cannot take on the look of a picture: no {path}; train it with: {command}")
    try:
        with safe_open(str(path), framework='pt') as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        if metadata['of'] != card.sha256:
            raise ModelError(f"{path}: of the weights {metadata['of'][:12]}, those of '{card.name}' are "
                             f'{card.sha256[:12]}; train it anew with: {command}')
        if metadata['sha256'] != _digest(tensors):
            raise ValueError('its sha256 is another')
        transfer = StyleTransfer(StyleConfig(**json.loads(metadata['network'])))
        transfer.load_state_dict({name: value.float() for name, value in tensors.items()})
    except (SafetensorError, OSError, RuntimeError, ValueError, TypeError, KeyError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f'{path}: damaged, or of an older version ({str(error).splitlines()[0]}); copy it again, or '
                         f'train it anew with: {command}') from error
    return transfer.eval().requires_grad_(False)


def _digest(tensors: dict[str, Tensor]) -> str:
    """Sha256 of names and numbers."""
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(name.encode() + value.numpy().tobytes())
    return digest.hexdigest()
