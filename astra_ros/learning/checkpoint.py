"""Training state as safetensors: exact resume, and no pickles."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from astra_ros.learning.dataset import DatasetError


def save_checkpoint(path: Path, model: nn.Module, average: nn.Module,
                    optimizer: torch.optim.Optimizer, generator: torch.Generator,
                    step: int, config: dict) -> None:
    """Write everything that the next step depends on, whole or not at all."""
    tensors: dict[str, Tensor] = {}
    for prefix, module in (('model', model), ('average', average)):
        tensors.update({f'{prefix}.{name}': value
                        for name, value in module.state_dict().items()})
    for index, state in optimizer.state_dict()['state'].items():
        tensors.update({f'optimizer.{index}.{name}': value for name, value in state.items()})
    tensors['generator'] = generator.get_state()
    part = path.with_suffix('.part')
    save_file({name: value.detach().cpu().contiguous().clone()
               for name, value in tensors.items()}, str(part),
              metadata={'step': str(step), 'config': json.dumps(config)})
    os.replace(part, path)


def load_checkpoint(path: Path, model: nn.Module, average: nn.Module,
                    optimizer: torch.optim.Optimizer, generator: torch.Generator,
                    config: dict) -> int:
    """Restore all of `save_checkpoint`; returns the step.

    Raises DatasetError where the file was made with another model configuration.
    """
    with safe_open(str(path), framework='pt') as file:
        metadata = file.metadata()
        stored = json.loads(metadata['config'])
        if stored != json.loads(json.dumps(config)):
            now = json.loads(json.dumps(config))
            differing = ', '.join(f'{name}: {stored.get(name)} there, {now.get(name)} now'
                                  for name in sorted({*stored, *now})
                                  if stored.get(name) != now.get(name))
            raise DatasetError(f'{path}: made with another configuration ({differing}); go on with '
                               f"the old one, or train into another folder (with --from to start "
                               f'from what is there)')
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    for prefix, module in (('model', model), ('average', average)):
        module.load_state_dict({name.removeprefix(f'{prefix}.'): value
                                for name, value in tensors.items()
                                if name.startswith(f'{prefix}.')})
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith('optimizer.'):
            _, index, field = name.split('.')
            state.setdefault(int(index), {})[field] = value
    optimizer.load_state_dict({'state': state,
                               'param_groups': optimizer.state_dict()['param_groups']})
    generator.set_state(tensors['generator'])
    return int(metadata['step'])
