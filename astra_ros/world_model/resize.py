"""A trained network for pictures of another size: what it knows of places is carried over."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import AstraConfig


def resized(model: Astra, image_size: tuple[int, int]) -> Astra:
    """The same network for frames of `image_size` (h, w) pixels of the same view; to be trained on.

    Convolutions and blocks do not know the picture's size. Only two things do: the learned position
    of a token, which is interpolated, and how far a cell of the latent moves, which is counted in
    cells and grows with the picture. Raises ValueError on a size that is no multiple of a token's.
    """
    old, new = model.config, replace(model.config, image_size=tuple(image_size))
    weights = dict(model.state_dict())
    for name in ('temporal_encoder.position', 'denoiser.position'):
        weights[name] = _interpolated(weights[name], old, new)
    if model.denoiser.moved is not None:
        ratio = torch.tensor([now / then for now, then in
                              zip(new.latent_shape[:0:-1], old.latent_shape[:0:-1])])    # x, y
        for name in ('weight', 'bias'):
            name = f'denoiser.moved.displacement.{name}'
            value = weights[name]
            parts = value.reshape(sum(model.denoiser.moved.places), 2, old.patch ** 2, -1)
            weights[name] = (parts * ratio.to(value)[:, None, None]).reshape(value.shape)
    grown = Astra(new)
    grown.load_state_dict(weights)
    return grown.train(model.training)


def _interpolated(position_LD: Tensor, old: AstraConfig, new: AstraConfig) -> Tensor:
    def grid(config):
        return [cells // config.patch for cells in config.latent_shape[1:]]

    rows, cols = grid(old)
    picture = position_LD.float().T.reshape(1, -1, rows, cols)
    wider = F.interpolate(picture, size=grid(new), mode='bilinear', align_corners=False)
    return wider.flatten(2)[0].T.to(position_LD.dtype)
