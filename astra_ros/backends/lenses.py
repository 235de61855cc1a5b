"""A moving camera as tensors: what `world_model/reprojection.py` needs to know of it."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from astra_ros.planning.moving_camera import MovingCamera
from astra_ros.world_model import Lens


def lens_of(camera: MovingCamera, image_size: tuple[int, int],
            device: torch.device | str = 'cpu') -> Lens:
    """The camera of pictures of `image_size` (h, w); depths between the map's points in proportion."""
    seen = camera.camera.fitted(image_size)
    coarse = torch.tensor(camera.inverse_depth, dtype=torch.float32, device=device)[None, None]
    fine = F.interpolate(coarse.log(), size=image_size, mode='bilinear', align_corners=True).exp()
    return Lens(seen.fx, seen.fy, seen.cx, seen.cy, fine[0, 0])
