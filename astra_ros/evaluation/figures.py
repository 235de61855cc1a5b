"""Figures of a model on held-out clips of one action space, and their means over worlds."""

from __future__ import annotations

import numpy as np
import torch
from tqdm import tqdm

from astra_ros.camera.moving_camera import MovingCamera
from astra_ros.evaluation import perceptual
from astra_ros.evaluation.action_following import Follower
from astra_ros.evaluation.held_out import HeldOutClips
from astra_ros.evaluation.metrics import auroc, interval, psnr, ssim
from astra_ros.inference.torch_lenses import lens_of
from astra_ros.outcomes import EVENTS, OBJECT_POSITION
from astra_ros.training.clips import frames_to_tensor
from astra_ros.world_model import reproject

HORIZONS = (1, 4, 8, 16, 32, 64)
DRIFT = (16, 64)  # frames between which drift is stated
FOLLOWED = 16  # frames whose poses count, from the first on
STILL_DB = 50.0  # above this a frame is the last observed one: nothing to imagine
ROWS = {
    "ceiling": "autoencoder alone",
    "model": "model",
    "decoded": "model, decoded alone",
    "shuffled": "another plan's motion",
    "geometry": "moved by geometry",
    "copy": "copy the last frame",
}


def imagine_clips(model, clips: HeldOutClips, seed: int) -> dict:
    """What the model makes of every clip, with its own motion and with another's."""
    made: dict[str, list] = {
        name: [] for name in ("ceiling", "model", "decoded", "shuffled", "geometry", "error", "uncertainty")
    }
    outcomes: dict[str, list] = {}
    for i in tqdm(range(len(clips)), unit="clip", desc=clips.space.name):
        conditioning = clips.conditioning(i)
        imagined = model.imagine(clips.history[i], conditioning, seed=seed)
        true_latents = model.encode(clips.future[i])
        for number, row in enumerate(("model", "shuffled")):
            made[row].append(model.pictures(imagined.latents, clips.history[i, -1], conditioning, number))
        if model.card.network.get("compositing"):
            made["decoded"].append(model.decode(imagined.latents[0]))
        made["ceiling"].append(model.decode(true_latents))
        if clips.camera_poses is not None:
            made["geometry"].append(
                _by_geometry(model.card.moving_cameras[clips.space.name], clips.history[i, -1], clips.camera_poses[i])
            )
        made["error"].append(np.sqrt(np.square(imagined.latents[0] - true_latents).mean((1, 2, 3))))
        made["uncertainty"].append(imagined.uncertainty[0])
        for name, values in imagined.outcomes.items():
            outcomes.setdefault(name, []).append(values[0])
    result = {name: np.stack(values) for name, values in made.items() if values}
    result["copy"] = np.repeat(clips.history[:, -1:], clips.future.shape[1], axis=1)
    result["outcomes"] = {name: np.stack(values) for name, values in outcomes.items()}
    return result


def _by_geometry(camera: MovingCamera, frame: np.ndarray, travel: np.ndarray) -> np.ndarray:
    """A picture from where the camera goes, without any network: uint8 [H, h, w, 3]."""
    views, _ = reproject(
        frames_to_tensor(frame[None]), torch.from_numpy(travel)[None], lens_of(camera, frame.shape[:2])
    )
    return (views[0] * 255).round().to(torch.uint8).movedim(1, -1).numpy()


def figures_of(clips: HeldOutClips, made: dict, follower: Follower | None, measures: perceptual.Measures) -> dict:
    """All figures of one action space."""
    truth = clips.future.astype(np.float32) / 255
    length = truth.shape[1]
    horizons = [h for h in HORIZONS if h <= length]
    seen = {name: made[name].astype(np.float32) / 255 for name in ROWS if name in made}
    quality = {name: psnr(frames, truth) for name, frames in seen.items()}
    changed = quality["copy"] < STILL_DB
    figures: dict = {
        "clips": len(clips),
        "still": _still(quality, changed),
        "psnr_db": {},
        "ssim": {},
        "psnr_curve_db": {},
    }
    for name, frames in seen.items():
        figures["psnr_db"][name] = {str(h): _mean(quality[name], changed, h) for h in horizons}
        figures["psnr_curve_db"][name] = [round(_mean(quality[name], changed, h + 1), 3) for h in range(length)]
        figures["ssim"][name] = {
            str(h): float(ssim(frames[:, h - 1], truth[:, h - 1])[_counted(changed, h)].mean()) for h in horizons
        }
    if follower is not None:
        first = min(FOLLOWED, length)
        read = {"real frames": clips.future, **{name: made[name] for name in seen}}
        figures["following"] = {
            name: follower.figures(follower.read(clips.history[:, -1], frames[:, :first]), clips.poses[:, :first])
            for name, frames in read.items()
        }
        figures["following_frames"] = first
    if any(measures):
        figures |= perceptual.figures(measures, seen, truth, horizons)
    at = min(16, length) - 1
    gain = (quality["model"] - quality["copy"])[_counted(changed, at + 1), at]
    figures["gain_over_copy_db"] = {"horizon": at + 1, "mean": float(gain.mean()), "interval_95": interval(gain)}
    if "decoded" in quality:
        bare = (quality["decoded"] - quality["copy"])[_counted(changed, at + 1), at]
        figures["gain_over_copy_db"]["decoded"] = float(bare.mean())
    if length >= DRIFT[1]:
        first, last = (_mean(quality["model"], changed, h) for h in DRIFT)
        figures["drift_db"] = first - last
    figures["latent_rmse"] = {str(h): float(made["error"][:, h - 1].mean()) for h in horizons}
    figures["uncertainty_correlation"] = float(np.corrcoef(made["error"].ravel(), made["uncertainty"].ravel())[0, 1])
    figures["events"] = {
        name: _event(made["outcomes"][name], clips.labels[name])
        for name in EVENTS
        if name in made["outcomes"] and name in clips.labels
    }
    if OBJECT_POSITION in made["outcomes"] and OBJECT_POSITION in clips.labels:
        away = np.linalg.norm((made["outcomes"][OBJECT_POSITION] - clips.labels[OBJECT_POSITION])[..., :2], axis=-1)
        figures["object_error_m"] = {str(h): float(np.nanmean(away[:, h - 1])) for h in horizons}
    return figures


def _counted(changed: np.ndarray, horizon: int) -> np.ndarray:
    """Which clips count at a horizon: those that have changed by then, or all where none has."""
    here = changed[:, horizon - 1]
    return here if here.any() else np.ones_like(here)


def _mean(values: np.ndarray, changed: np.ndarray, horizon: int) -> float:
    return float(values[_counted(changed, horizon), horizon - 1].mean())


def _still(quality: dict[str, np.ndarray], changed: np.ndarray) -> dict:
    """What was left out: how many frames are as the last observed one, and the model's PSNR there."""
    still = ~changed
    return {"share": float(still.mean()), "psnr_db": float(quality["model"][still].mean()) if still.any() else None}


def _event(probability: np.ndarray, happened: np.ndarray) -> dict:
    """A head's probabilities [N, H] against what happened: in which clips, and in which frames.

    An AUROC is None where the event happened in all of them, or in none.
    """
    ever = happened.any(1)
    return {
        "base_rate": float(ever.mean()),
        "auroc": auroc(probability.max(1), ever),
        "auroc_frames": auroc(probability.ravel(), happened.ravel()),
        "mean_probability": float(probability.mean()),
        "mean_frequency": float(happened.mean()),
    }


def mean_over_worlds(spaces: dict[str, dict]) -> dict:
    """The mean over worlds of what the README's table of goals asks for; arms count once."""
    by_world: dict[str, list[dict]] = {}
    for figures in spaces.values():
        by_world.setdefault(figures["world"], []).append(figures)

    def mean(value_of) -> float | None:
        worlds = [[value_of(figures) for figures in group] for group in by_world.values()]
        if any(value is None for group in worlds for value in group):
            return None
        return float(np.mean([np.mean(group) for group in worlds]))

    def at_16(figures, metric, row):
        return figures.get(metric, {}).get(row, {}).get("16")

    def lost_when_shuffled(figures):
        rows = [at_16(figures, "psnr_db", row) for row in ("model", "shuffled")]
        return None if None in rows else rows[0] - rows[1]

    def told(figures, gain):
        gained = figures.get("style", {}).get(gain, {})
        return gained["mean"] if gained.get("horizon") == 16 else None

    def near(figures, row):
        if figures.get("following_frames") != FOLLOWED:
            return None
        return figures["following"][row]["near"]

    return {
        "worlds": sorted(by_world),
        "ceiling_psnr_db": mean(lambda f: at_16(f, "psnr_db", "ceiling")),
        "gain_over_copy_db": mean(lambda f: f["gain_over_copy_db"]["mean"]),
        "ssim": mean(lambda f: at_16(f, "ssim", "model")),
        "lpips": mean(lambda f: at_16(f, "lpips", "model")),
        "lpips_copy": mean(lambda f: at_16(f, "lpips", "copy")),
        "fvd": mean(lambda f: f.get("fvd", {}).get("model")),
        "lost_when_shuffled_db": mean(lost_when_shuffled),
        "near": mean(lambda f: near(f, "model")),
        # The same of what is decoded, before anything is laid over it; scores see no more.
        "gain_over_copy_decoded_db": mean(lambda f: f["gain_over_copy_db"].get("decoded")),
        "ssim_decoded": mean(lambda f: at_16(f, "ssim", "decoded")),
        "near_decoded": mean(lambda f: near(f, "decoded")),
        "near_real": mean(lambda f: near(f, "real frames")),
        "near_shuffled": mean(lambda f: near(f, "shuffled")),
        "style_told_db": mean(lambda f: told(f, "gain_db")),
        "style_told_over_matched_db": mean(lambda f: told(f, "gain_over_matched_db")),
        "drift_db": mean(lambda f: f.get("drift_db")),
    }
