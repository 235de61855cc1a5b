"""`astra export`: a trained model as the directory that nodes load: weights and card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

from astra_ros.backends.base import CARD_FILE, CARD_VERSION, WEIGHTS_FILE
from astra_ros.planning.actions import ActionSpace
from astra_ros.world_model import Astra


def write_model(directory: Path, model: Astra, spaces: Sequence[ActionSpace], dt_s: float,
                name: str) -> Path:
    """Write `model.safetensors` (16-bit floats) and `card.json`; returns the directory."""
    config = model.config
    directory.mkdir(parents=True, exist_ok=True)
    weights = directory / WEIGHTS_FILE
    save_file({key: value.detach().cpu().to(torch.float16).contiguous().clone()
               for key, value in model.state_dict().items()}, str(weights),
              metadata={'model': name})
    card = {
        'card_version': CARD_VERSION, 'name': name, 'image_size': list(config.image_size),
        'dt_s': dt_s, 'history': config.temporal_window,
        'latent_shape': list(config.latent_shape), 'outcomes': list(config.outcomes),
        'action_spaces': [space.to_dict() for space in spaces], 'network': config.to_dict(),
        'sha256': hashlib.sha256(weights.read_bytes()).hexdigest()}
    (directory / CARD_FILE).write_text(json.dumps(card, indent=1) + '\n')
    return directory
