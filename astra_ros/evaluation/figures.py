"""Figures of a model on held-out clips of one action space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from astra_ros.camera.moving_camera import MovingCamera
from astra_ros.evaluation import perceptual
from astra_ros.evaluation.action_following import PoseReader
from astra_ros.evaluation.held_out import HeldOutClips
from astra_ros.evaluation.metrics import auroc, interval, masked_psnr, psnr, ssim
from astra_ros.evaluation.moving_figures import MovingThing
from astra_ros.evaluation.space_figures import (
    DRIFT,
    FOLLOWED,
    GOAL_HORIZON,
    HORIZONS,
    REAL,
    ROWS,
    EventFigures,
    Gain,
    SeenFigures,
    SpaceFigures,
    StillFigures,
    StyleFigures,
)
from astra_ros.inference import WorldModel
from astra_ros.inference.torch_camera import inverse_depth_camera
from astra_ros.outcomes import EVENTS, OBJECT_POSITION
from astra_ros.training.clips import frames_to_tensor
from astra_ros.world_model.reprojection import reproject

FEWEST_PIXELS = 0.02  # share of a frame below which the PSNR of some of its pixels does not count
STILL_DB = 50.0  # a frame with more PSNR than this to the last observed one has not changed


@dataclass(frozen=True)
class ImaginedClips:
    """What a model makes of N clips.

    Attributes:
        videos: row -> uint8 [N, H, h, w, 3]; `decoded` only of models that composite, `geometry` only of moving
            cameras.
        error: float [N, H], RMSE of the latents of the row `model`.
        uncertainty: float [N, H], of the same.
        outcomes: name -> [N, H] or [N, H, 3], of the same.
        seen: bool [N, H, h, w], the pixels of a moving camera that the last observed frame shows too.
    """

    videos: dict[str, np.ndarray]
    error: np.ndarray
    uncertainty: np.ndarray
    outcomes: dict[str, np.ndarray]
    seen: np.ndarray | None = None


def imagine_clips(model: WorldModel, clips: HeldOutClips, seed: int) -> ImaginedClips:
    """Imagine every clip with its own motion and with another clip's."""
    card = model.card
    videos: dict[str, list] = {name: [] for name in ROWS}
    error, uncertainty, seen = [], [], []
    outcomes: dict[str, list] = {}
    for i in tqdm(range(len(clips)), unit="clip", desc=clips.space.name):
        conditioning = clips.conditioning(i)
        imagined = model.imagine(clips.history[i], conditioning, seed=seed)
        true_latents = model.encode(clips.future[i])
        observed = clips.history[i, -1]
        for number, row in enumerate(("model", "shuffled")):
            videos[row].append(model.pictures(imagined.latents, observed, conditioning, number))
        if card.network.compositing:
            videos["decoded"].append(model.decode(imagined.latents[0]))
        videos["ceiling"].append(model.decode(true_latents))
        videos["copy"].append(np.repeat(observed[None], len(clips.future[i]), axis=0))
        if conditioning.camera_poses is not None:
            camera = card.moving_cameras[clips.space.name]
            views, mask = _by_geometry(camera, observed, conditioning.camera_poses[0])
            videos["geometry"].append(views)
            seen.append(mask)
        error.append(np.sqrt(np.square(imagined.latents[0] - true_latents).mean((1, 2, 3))))
        uncertainty.append(imagined.uncertainty[0])
        for name, values in imagined.outcomes.items():
            outcomes.setdefault(name, []).append(values[0])
    return ImaginedClips(
        {name: np.stack(values) for name, values in videos.items() if values},
        np.stack(error),
        np.stack(uncertainty),
        {name: np.stack(values) for name, values in outcomes.items()},
        np.stack(seen) if seen else None,
    )


def _by_geometry(camera: MovingCamera, frame: np.ndarray, camera_poses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A frame reprojected to where the camera goes, without any network: uint8 [H, h, w, 3], and bool [H, h, w] where
    the frame shows what is there.
    """
    view = inverse_depth_camera(camera, frame.shape[:2])
    views, seen = reproject(frames_to_tensor(frame[None]), torch.from_numpy(camera_poses)[None], view)
    return (views[0] * 255).round().to(torch.uint8).movedim(1, -1).numpy(), seen[0, :, 0].numpy() > 0.5


class _Quality:
    """PSNR and SSIM of rows, over the clips that have changed."""

    def __init__(self, frames: dict[str, np.ndarray], truth: np.ndarray):
        self.frames, self.truth = frames, truth
        self.psnr_NH = {name: psnr(video, truth) for name, video in frames.items()}
        self.changed_NH = self.psnr_NH["copy"] < STILL_DB

    def counted(self, horizon: int) -> np.ndarray:
        """The clips [N] that count at a horizon: those that have changed by then, or all where none has."""
        here = self.changed_NH[:, horizon - 1]
        return here if here.any() else np.ones_like(here)

    def psnr_db(self, row: str, horizon: int) -> float:
        return float(self.psnr_NH[row][self.counted(horizon), horizon - 1].mean())

    def ssim(self, row: str, horizon: int) -> float:
        values = ssim(self.frames[row][:, horizon - 1], self.truth[:, horizon - 1])
        return float(values[self.counted(horizon)].mean())

    def gain_over_copy(self, row: str, horizon: int) -> np.ndarray:
        return (self.psnr_NH[row] - self.psnr_NH["copy"])[self.counted(horizon), horizon - 1]

    def seen(self, seen: np.ndarray, horizons: list[int]) -> SeenFigures:
        """PSNR of the pixels `seen` [N, H, h, w] and of the others."""

        def by_horizon(row: str, mask: np.ndarray) -> dict[str, float]:
            means = {}
            for h in horizons:
                values = masked_psnr(self.frames[row][:, h - 1], self.truth[:, h - 1], mask[:, h - 1], FEWEST_PIXELS)
                values = values[self.counted(h)]
                if np.isfinite(values).any():
                    means[str(h)] = float(np.nanmean(values))
            return means

        rows = [row for row in self.frames if row != "shuffled"]  # whose camera goes elsewhere
        share = {str(h): float(seen[self.counted(h), h - 1].mean()) for h in horizons}
        return SeenFigures(share, *({row: by_horizon(row, mask) for row in rows} for mask in (seen, ~seen)))

    def still(self) -> StillFigures:
        still_NH = ~self.changed_NH
        model = float(self.psnr_NH["model"][still_NH].mean()) if still_NH.any() else None
        return StillFigures(float(still_NH.mean()), model)


def figures_of(
    clips: HeldOutClips,
    made: ImaginedClips,
    reader: PoseReader | None = None,
    metrics: perceptual.PerceptualMetrics = perceptual.PerceptualMetrics(),
    style: StyleFigures | None = None,
    moving: dict[str, MovingThing] | None = None,
) -> SpaceFigures:
    """All figures of one action space."""
    truth = clips.future.astype(np.float32) / 255
    length = truth.shape[1]
    horizons = [h for h in HORIZONS if h <= length]
    videos = {name: made.videos[name] for name in ROWS if name in made.videos}
    quality = _Quality({name: video.astype(np.float32) / 255 for name, video in videos.items()}, truth)
    at = min(GOAL_HORIZON, length)
    gain = quality.gain_over_copy("model", at)
    decoded = float(quality.gain_over_copy("decoded", at).mean()) if "decoded" in videos else None
    following, object_error_m, drift_db = None, None, None
    first = min(FOLLOWED, length)
    if reader is not None and clips.poses is not None:
        following = {
            name: reader.figures(reader.read(clips.history[:, -1], video[:, :first]), clips.poses[:, :first])
            for name, video in {REAL: clips.future, **videos}.items()
        }
    known = made.outcomes.keys() & clips.labels.keys()
    if OBJECT_POSITION in known:
        away_NH3 = made.outcomes[OBJECT_POSITION] - clips.labels[OBJECT_POSITION]
        away_NH = np.linalg.norm(away_NH3[..., :2], axis=-1)
        object_error_m = {str(h): float(np.nanmean(away_NH[:, h - 1])) for h in horizons}
    if length >= DRIFT[1]:
        drift_db = quality.psnr_db("model", DRIFT[0]) - quality.psnr_db("model", DRIFT[1])
    return SpaceFigures(
        world=clips.world,
        drawn=clips.own.robot_renders is not None,
        reprojected=clips.own.camera_poses is not None,
        clips=len(clips),
        still=quality.still(),
        psnr_db={name: {str(h): quality.psnr_db(name, h) for h in horizons} for name in videos},
        ssim={name: {str(h): quality.ssim(name, h) for h in horizons} for name in videos},
        psnr_curve_db={name: [round(quality.psnr_db(name, h + 1), 3) for h in range(length)] for name in videos},
        following=following,
        following_frames=first if following else None,
        perceptual=perceptual.figures(metrics, quality.frames, truth, horizons),
        gain_over_copy_db=Gain(at, float(gain.mean()), interval(gain), decoded),
        drift_db=drift_db,
        latent_rmse={str(h): float(made.error[:, h - 1].mean()) for h in horizons},
        uncertainty_correlation=float(np.corrcoef(made.error.ravel(), made.uncertainty.ravel())[0, 1]),
        events={name: _event(made.outcomes[name], clips.labels[name]) for name in EVENTS if name in known},
        object_error_m=object_error_m,
        style=style,
        seen=None if made.seen is None else quality.seen(made.seen, horizons),
        moving=moving,
    )


def _event(probability_NH: np.ndarray, happened_NH: np.ndarray) -> EventFigures:
    ever = np.asarray(happened_NH.any(1))
    return EventFigures(
        base_rate=float(ever.mean()),
        auroc=auroc(probability_NH.max(1), ever),
        auroc_frames=auroc(probability_NH.ravel(), happened_NH.ravel()),
        mean_probability=float(probability_NH.mean()),
        mean_frequency=float(happened_NH.mean()),
    )
