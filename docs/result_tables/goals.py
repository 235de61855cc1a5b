"""The goals of the project beside what each model reaches."""

from collections.abc import Sequence

from .markdown import markdown

# The goals of the project, and where each figure is: file, key in its `overall`.
GOALS = [
    ("autoencoder ceiling, PSNR", ">= 36 dB", "evaluation", "ceiling_psnr_db", "{:.1f} dB"),
    ("model over copy of the last frame, PSNR", ">= +8 dB", "evaluation", "gain_over_copy_db", "{:+.1f} dB"),
    ("the same, decoded alone (without the compositor)", "", "evaluation", "gain_over_copy_decoded_db", "{:+.1f} dB"),
    ("SSIM", ">= 0.94", "evaluation", "ssim", "{:.2f}"),
    ("LPIPS (alex)", "<= 0.06", "evaluation", "lpips", "{:.3f}"),
    ("LPIPS of copying the last frame", "", "evaluation", "lpips_copy", "{:.3f}"),
    ("frames 1 to 16 whose pose follows the plan", ">= 92 %", "evaluation", "near", "{:.0%}"),
    ("the same, decoded alone", "", "evaluation", "near_decoded", "{:.0%}"),
    ("the same with another plan's motion", "half or less", "evaluation", "near_shuffled", "{:.0%}"),
    ("poses that the probe finds in real frames, its upper limit", "", "evaluation", "near_real", "{:.0%}"),
    ("drift: PSNR lost from frame 16 to 64", "<= 2 dB", "evaluation", "drift_db", "{:.1f} dB"),
    ("score against true outcome, Spearman", ">= 0.8", "ranking", "spearman", "{:.2f}"),
    ("top-1 regret", "<= 10 %", "ranking", "top1_regret", "{:.0%}"),
]
SUMMARY = ("ceiling_psnr_db", "gain_over_copy_db", "ssim", "lpips", "lpips_copy", "drift_db", "spearman",
           "top1_regret")  # fmt: skip


def goals(results: dict[str, dict[str, dict]], keys: Sequence[str]) -> str:
    """The goals of these keys, and what each model reaches: name -> kind of result -> result."""
    rows = []
    for what, goal, kind, key, form in GOALS:
        if key in keys:
            values = [kinds.get(kind, {"overall": {}})["overall"].get(key) for kinds in results.values()]
            rows.append([what, goal, *("-" if value is None else form.format(value) for value in values)])
    head = ["16 frames ahead, mean over worlds", "goal"]
    for model, kinds in results.items():
        worlds = {world for each in kinds.values() for world in each["overall"]["worlds"]}
        head.append(f"{model} ({', '.join(sorted(worlds))})")
    return markdown(head, rows)
