"""Figures of how well a model imagines scenes in the style of a given image, from scenes recorded in two styles."""

from __future__ import annotations

import numpy as np
from tqdm import tqdm

from astra_ros.evaluation.held_out import HeldOutClips
from astra_ros.evaluation.metrics import interval, psnr
from astra_ros.evaluation.space_figures import GOAL_HORIZON, HORIZONS, STYLE_ROWS, Gain, StyleFigures
from astra_ros.inference import WorldModel


def colours_matched(frames: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Frames uint8 [T, h, w, 3] with the mean and spread of the colour channels of `image` [h, w, 3].

    A baseline that knows a style but not the scene (after Reinhard et al. 2001, in RGB).
    """
    own, wanted = frames.astype(np.float32), image.astype(np.float32)
    spread = wanted.std((0, 1)) / np.maximum(own[-1].std((0, 1)), 1)
    matched = (own - own[-1].mean((0, 1))) * spread + wanted.mean((0, 1))
    return matched.round().clip(0, 255).astype(np.uint8)


def imagine_styled(
    model: WorldModel, clips: HeldOutClips, seed: int
) -> tuple[StyleFigures | None, dict[str, np.ndarray]]:
    """Imagine the clips that were recorded in a second style, and compare them with the recording in that style.

    PSNR is of decoded frames, imagined from observed frames that were restyled by an image (`told`), whose colours
    were matched with the image (`matched`), or that were left as they are (`untold`). Beside them stand the
    autoencoder alone and a copy of the last frame.

    Returns:
        The figures, or None where no scene was recorded in a second style or the model cannot restyle; and rows of
        the first clip, uint8 [1 + H, h, w, 3]: the frame it began with, then the imagined ones.
    """
    quality: dict[str, list] = {name: [] for name in STYLE_ROWS}
    shown: dict[str, np.ndarray] = {}
    if not clips.styles or not model.can_restyle:
        return None, shown
    for i, (look, future) in tqdm(clips.styles.items(), unit="clip", desc=f"{clips.space.name}, other styles"):
        conditioning = clips.own.subset([i])
        observed = clips.history[i]
        told, matched = model.restyle(observed, look), colours_matched(observed, look)
        histories = {"told": told, "matched": matched, "untold": observed}
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
    psnr_NH = {name: np.array(curves) for name, curves in quality.items()}
    length = clips.future.shape[1]
    at = min(GOAL_HORIZON, length)

    def gain_over(row: str) -> Gain:
        gain = (psnr_NH["told"] - psnr_NH[row])[:, at - 1]
        return Gain(at, float(gain.mean()), interval(gain))

    horizons = [h for h in HORIZONS if h <= length]
    psnr_db = {name: {str(h): float(values[:, h - 1].mean()) for h in horizons} for name, values in psnr_NH.items()}
    return StyleFigures(len(clips.styles), psnr_db, gain_over("untold"), gain_over("matched")), shown
