"""Figures of how well a model takes on the look of a picture, on scenes recorded in two styles."""

from __future__ import annotations

import numpy as np
from tqdm import tqdm

from astra_ros.evaluation.figures import HORIZONS
from astra_ros.evaluation.held_out import HeldOutClips
from astra_ros.evaluation.metrics import interval, psnr

STYLE_ROWS = {
    "ceiling": "autoencoder alone",
    "told": "shown a picture of it",
    "matched": "colours matched alone",
    "untold": "not shown one",
    "copy": "copy the last frame",
}  # in another style


def colours_matched(frames: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Frames uint8 [T, h, w, 3] whose colours have the mean and the spread, channel by channel, of those of `picture`
    [h, w, 3]: what can be had of a look without knowing what is seen (after Reinhard et al. 2001, in RGB)."""
    own, wanted = frames.astype(np.float32), picture.astype(np.float32)
    spread = wanted.std((0, 1)) / np.maximum(own[-1].std((0, 1)), 1)
    matched = (own - own[-1].mean((0, 1))) * spread + wanted.mean((0, 1))
    return matched.round().clip(0, 255).astype(np.uint8)


def imagine_styled(model, clips: HeldOutClips, seed: int) -> tuple[dict, dict[str, np.ndarray]] | None:
    """Is the other look imagined that a picture shows? Figures, and the first clip to look at; None where no scene
    was recorded in a second style, or the model cannot take one on.

    PSNR against the recording in that style, in dB, mean over clips: of what is decoded when the observed frames are
    given the look of a picture first (`told`), when only the mean and spread of their colours are made those of the
    picture (`matched`), and from the frames as observed (`untold`); of the autoencoder alone, and of a copy of the
    last frame. Of the clip there are rows uint8 [1 + H, h, w, 3]: first what was given, then what came of it.
    """
    if not clips.styles or not model.can_restyle:
        return None
    quality: dict[str, list] = {name: [] for name in STYLE_ROWS}
    shown: dict[str, np.ndarray] = {}
    for i, (look, future) in tqdm(clips.styles.items(), unit="clip", desc=f"{clips.space.name}, other styles"):
        conditioning = clips.conditioning(i).subset([0])
        observed = clips.history[i]
        histories = {
            "told": model.restyle(observed, look),
            "matched": colours_matched(observed, look),
            "untold": observed,
        }
        made = {
            name: model.decode(model.imagine(history, conditioning, seed=seed).latents[0])
            for name, history in histories.items()
        }
        if not shown:
            shown["restyled"] = np.concatenate([look[None], future])
            shown |= {name: np.concatenate([histories[name][-1:], made[name]]) for name in histories}
        made |= {"ceiling": model.decode(model.encode(future)), "copy": np.repeat(observed[-1:], len(future), 0)}
        for name in STYLE_ROWS:
            quality[name].append(psnr(made[name].astype(np.float32) / 255, future.astype(np.float32) / 255))
    length = clips.future.shape[1]
    at = min(16, length) - 1

    def gained(over: str) -> dict:
        gain = (np.array(quality["told"]) - quality[over])[:, at]
        return {"horizon": at + 1, "mean": float(gain.mean()), "interval_95": interval(gain)}

    return {
        "clips": len(clips.styles),
        "psnr_db": {
            name: {str(h): float(np.mean([curve[h - 1] for curve in curves])) for h in HORIZONS if h <= length}
            for name, curves in quality.items()
        },
        "gain_db": gained("untold"),
        "gain_over_matched_db": gained("matched"),
    }, shown
