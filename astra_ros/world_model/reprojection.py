"""Images as seen from the camera's later places: geometry, nothing learned."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from astra_ros.world_model.autoencoder import FrameAutoencoder

ENCODE_BATCH = 128  # more images at once take more memory and no less time
NEAREST = 1e-3  # relative depth; what is nearer or behind the camera counts as unseen


class InverseDepthCamera(NamedTuple):
    """A pinhole camera as in `PinholeCamera`, in pixels, with a prior of the depth at every pixel."""

    fx: float
    fy: float
    cx: float
    cy: float
    inverse_depth: Tensor  # [h, w] 1/m along the optical axis, at every pixel


def reproject(frames: Tensor, camera_poses: Tensor, camera: InverseDepthCamera) -> tuple[Tensor, Tensor]:
    """Frames as seen from other poses.

    Args: `frames` [B, 3, h, w]; `camera_poses` [B, N, 4, 4], the camera's optical frame at N later times, in
    that of `frames`, m. The depth of every pixel is that of `camera.inverse_depth`. A turn of the camera is
    exact, since it does not need the depth; a translation is a guess.

    Returns the views [B, N, 3, h, w], with continued borders, and a mask [B, N, 1, h, w]: 1 where the view
    was observed, else 0.
    """
    # Autocast would round places to 16 bits: steps of a pixel in large images.
    with torch.autocast(frames.device.type, enabled=False):
        return _reproject(frames, camera_poses, camera)


def _reproject(frames: Tensor, camera_poses: Tensor, camera: InverseDepthCamera) -> tuple[Tensor, Tensor]:
    batch, moments = camera_poses.shape[:2]
    rows, cols = frames.shape[-2:]
    y = torch.arange(rows, device=frames.device, dtype=torch.float32)
    x = torch.arange(cols, device=frames.device, dtype=torch.float32)
    v, u = torch.meshgrid((y - camera.cy) / camera.fy, (x - camera.cx) / camera.fx, indexing="ij")
    ray = torch.stack([u, v, torch.ones_like(u)], dim=-1)
    # A point at depth d along a ray r is at R r d + t for the observing camera: in proportion to this.
    point = torch.einsum("bnij,hwj->bnhwi", camera_poses[..., :3, :3].float(), ray)
    point = point + camera_poses[..., None, None, :3, 3].float() * camera.inverse_depth[..., None]
    depth = point[..., 2:]
    place = point[..., :2] / depth.clamp_min(NEAREST)
    scale = place.new_tensor([2 * camera.fx / cols, 2 * camera.fy / rows])
    shift = place.new_tensor([(2 * camera.cx + 1) / cols - 1, (2 * camera.cy + 1) / rows - 1])
    at = (place * scale + shift).clamp(-3.0, 3.0)
    seen = (depth[..., 0] > NEAREST) & (at.abs() <= 1).all(-1)
    views = F.grid_sample(frames, at.flatten(1, 2), mode="bilinear", padding_mode="border", align_corners=False)
    views = views.unflatten(2, (moments, rows)).movedim(2, 1)
    return views, seen[:, :, None].to(frames.dtype)


def last_seen(
    frame: Tensor, moments: int, camera_poses: Tensor | None, camera: InverseDepthCamera | None, moves: bool
) -> tuple[Tensor, Tensor]:
    """The last observed image at N later times, as a `Compositor` takes it.

    Args: `frame` [3, h, w]; `camera_poses` [N, 4, 4] and `camera`, or None; `moves`, whether the robot's
    camera moves: nothing is known of its later views without its poses.

    Returns views [N, 3, h, w] and a mask [N, 1, h, w], 1 where they were observed.
    """
    if camera_poses is None or camera is None:
        known = torch.full_like(frame[:1], 0.0 if moves else 1.0)
        return frame.expand(moments, -1, -1, -1), known.expand(moments, -1, -1, -1)
    views, seen = reproject(frame[None], camera_poses[None], camera)
    return views[0], seen[0]


def not_moved(latents: Tensor) -> Tensor:
    """Latents [..., C, h, w] in place of reprojected ones, [..., C + 1, h, w], where poses are not known."""
    return F.pad(latents, (0, 0, 0, 0, 0, 1))


def reprojected_latents(
    autoencoder: FrameAutoencoder, frames: Tensor, camera_poses: Tensor, camera: InverseDepthCamera
) -> Tensor:
    """Reprojected frames as the denoiser takes them, [B, N, C + 1, h, w]: latents, and the observed share of each
    cell."""
    views, seen = reproject(frames, camera_poses, camera)
    parts = zip(views.flatten(0, 1).split(ENCODE_BATCH), seen.flatten(0, 1).split(ENCODE_BATCH))
    return torch.cat([encoded_views(autoencoder, *part) for part in parts]).unflatten(0, views.shape[:2])


def encoded_views(autoencoder: FrameAutoencoder, views: Tensor, seen: Tensor) -> Tensor:
    """Views [N, 3, h, w] and which of their pixels were observed, [N, 1, h, w] -> [N, C + 1, h, w]."""
    latents = autoencoder.encode(views)
    share = F.avg_pool2d(seen, views.shape[-1] // latents.shape[-1])
    return torch.cat([latents, share.to(latents.dtype)], dim=1)
