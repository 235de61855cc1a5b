"""A small detector of videos, called as the I3D of FVD is."""

import torch
from torch import nn

from astra_ros.evaluation.fvd import load_fvd


class Detector(nn.Module):
    """Called as the I3D is: mean and spread of each channel, scaled on request."""

    def __init__(self, wide: bool = True):
        super().__init__()
        self.wide = wide

    def forward(
        self, x: torch.Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False
    ) -> torch.Tensor:
        assert resize and return_features
        x = x.float()
        if rescale:
            x = 2 * x / 255 - 1
        x = x.flatten(2)
        return torch.cat([x.mean(2), x.std(2, unbiased=False)], 1) if self.wide else x


def scripted(module: nn.Module, path, official: bool = False):
    torch.jit.script(module).save(str(path))
    return load_fvd(path, official=official)
