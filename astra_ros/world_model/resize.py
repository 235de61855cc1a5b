"""A trained network for images of another size, or with tokens that span more pixels."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import AstraConfig


def resized(model: Astra, image_size: tuple[int, int], patch: int | None = None) -> Astra:
    """The same network for frames of `image_size` (h, w) pixels of the same view; train it further.

    Convolutions and blocks are independent of the image size. Two things depend on it: the learned
    positions of the tokens, which are interpolated, and the displacements of latent cells, which are
    counted in cells and grow with the image. With `patch`, a multiple of the old one, a token spans more
    cells: it reads the mean of the cells that replace one, and predicts the same for each of them. With
    twice the patch, images of twice the size take as many tokens as before.

    Raises ValueError where the size is not a multiple of a token's, or the patch not one of the old patch.
    """
    old = model.config
    new = replace(old, image_size=(image_size[0], image_size[1]), patch=old.patch if patch is None else patch)
    if new.patch % old.patch:
        raise ValueError(f"patch {new.patch}: expected a multiple of the {old.patch} that the model has")
    weights = dict(model.state_dict())
    for name in ("temporal_encoder.position", "denoiser.position"):
        weights[name] = _interpolated(weights[name], old, new)
    if model.denoiser.moved is not None:
        ratio = torch.tensor(
            [now / then for now, then in zip(new.latent_shape[:0:-1], old.latent_shape[:0:-1])]
        )  # x, y
        for name in ("weight", "bias"):
            name = f"denoiser.moved.displacement.{name}"
            value = weights[name]
            parts = value.reshape(sum(model.denoiser.moved.places), 2, old.patch**2, -1)
            weights[name] = (parts * ratio.to(value)[:, None, None]).reshape(value.shape)
    times = new.patch // old.patch
    for name in ("temporal_encoder.embed.weight", "denoiser.embed.weight"):
        weights[name] = _repeated(weights[name].T, old.patch, times).T / times**2
    if model.denoiser.robot_tokens is not None:
        name = "denoiser.robot_tokens.embed.weight"
        weights[name] = _repeated(weights[name].T, old.cell, times).T / times**2
    for name in weights:
        if name.startswith(("denoiser.out.", "denoiser.moved.")):
            weights[name] = _repeated(weights[name], old.patch, times)
    grown = Astra(new)
    grown.load_state_dict(weights)
    return grown.train(model.training)


def _interpolated(position_LD: Tensor, old: AstraConfig, new: AstraConfig) -> Tensor:
    def grid(config):
        return [cells // config.patch for cells in config.latent_shape[1:]]

    rows, cols = grid(old)
    image = position_LD.float().T.reshape(1, -1, rows, cols)
    wider = F.interpolate(image, size=grid(new), mode="bilinear", align_corners=False)
    return wider.flatten(2)[0].T.to(position_LD.dtype)


def _repeated(value: Tensor, side: int, times: int) -> Tensor:
    """Rows of squares of `side` x `side` cells; each cell is repeated `times` x `times`."""
    cells = value.reshape(-1, side, side, *value.shape[1:])
    cells = cells.repeat_interleave(times, dim=1).repeat_interleave(times, dim=2)
    return cells.reshape(-1, *value.shape[1:])
