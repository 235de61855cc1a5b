"""A moving camera as tensors, as `world_model/reprojection.py` takes it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from astra_ros.camera.moving_camera import MovingCamera
from astra_ros.world_model.reprojection import InverseDepthCamera


def inverse_depth_camera(
    camera: MovingCamera, image_size: tuple[int, int], device: torch.device | str = "cpu"
) -> InverseDepthCamera:
    """The camera of images of `image_size` (h, w); depths between the map's points in proportion."""
    fitted = camera.camera.fitted(image_size)
    coarse = torch.tensor(camera.inverse_depth, dtype=torch.float32, device=device)
    return InverseDepthCamera(fitted.fx, fitted.fy, fitted.cx, fitted.cy, whole_map(coarse.log(), image_size))


def whole_map(log_coarse: Tensor, image_size: tuple[int, int]) -> Tensor:
    """Inverse depths at every pixel, [h, w] 1/m, from the logarithms of a coarse map [r, c]."""
    return F.interpolate(log_coarse[None, None], size=image_size, mode="bilinear", align_corners=True)[0, 0].exp()
