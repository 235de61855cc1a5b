"""What each part of a model is worth."""

from .markdown import markdown

ABLATIONS = {
    "full": "everything",
    "full-again": "everything, once more with another seed",
    "no-drawing": "without robot renders",
    "no-reprojection": "without the reprojection of the last image",
    "no-experts": "without experts: one encoder for all modalities",
    "no-moving": "without moved latents: each cell changes in its own place",
    "no-observed": "without the last observed latent: cells come from the newest latent only",
    "no-residual": "without the residual: the next latent itself is predicted",
    "no-history-noise": "without noise on the history",
    "no-rollouts": "without training on its own rollouts",
    "no-object-weight": "without the object's extra weight",
}


def ablations(results: dict[str, dict]) -> str:
    """What each part is worth: a short training without it, beside one with everything."""
    worlds = next(iter(results.values()))["overall"]["worlds"]
    rows = []
    for name in [name for name in ABLATIONS if name in results]:
        overall, spaces = results[name]["overall"], results[name]["spaces"].values()
        gains = []
        for world in worlds:
            own = [each["gain_over_copy_db"]["mean"] for each in spaces if each["world"] == world]
            gains.append(f"{sum(own) / len(own):+.2f} dB")
        losses = (overall[key] for key in ("lost_when_shuffled_db", "drift_db"))
        lost = ["-" if loss is None else f"{loss:.2f} dB" for loss in losses]
        rows.append([ABLATIONS[name], *gains, f"{overall['ssim']:.3f}", *lost])
    head = ["16 frames ahead", *(f"{world}: over copy" for world in worlds), "SSIM",
            "lost with another plan's motion", "drift to 64"]  # fmt: skip
    return markdown(head, rows)
