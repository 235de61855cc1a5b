"""Write the README's result tables from docs/results/*.json, so that no figure is typed by hand.

    python docs/make_tables.py           # rewrite what is between the table marks of README.md
    python docs/make_tables.py --check   # exit 1 if README.md says something else

A table stands between `<!-- table: NAME -->` and `<!-- end -->` and comes from results/NAME.json, or
from all files of the folder results/NAME; while they are missing, it is empty.
"""

import json
import re
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
README = DOCS.parent / "README.md"
MARKS = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
FRAMES = {
    "ceiling": "autoencoder alone",
    "model": "**model**",
    "shuffled": "model, given another plan's motion",
    "copy": "copy the last frame",
}
LATENCIES = {
    "image_to_scores": "**over topics: image published to scores received**",
    "plans_to_scores": "over topics: last plan published to scores received",
    "request": "in one process, without ROS",
}
CHOICES = {
    "random": "a random plan",
    "score": "**the best score**",
    "oracle": "the simulator itself (upper limit)",
}


def markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


# The goals of the project, and where each figure is in `overall` of a result.
GOALS = [
    ("autoencoder ceiling, PSNR", "ceiling_psnr_db", "{:.1f} dB", ">= 36 dB"),
    ("model over copy of the last frame, PSNR", "gain_over_copy_db", "{:+.1f} dB", ">= +8 dB"),
    ("SSIM", "ssim", "{:.2f}", ">= 0.94"),
    ("LPIPS (alex)", "lpips", "{:.3f}", "<= 0.06"),
    ("frames whose pose follows the plan", "near", "{:.0%}", ">= 92 %"),
    ("the same with another plan's motion", "near_shuffled", "{:.0%}", "half or less"),
    ("drift: PSNR lost from frame 16 to 64", "drift_db", "{:.1f} dB", "<= 2 dB"),
]


def evaluation(result: dict) -> str:
    """The goals, then PSNR (SSIM) by horizon and where a probe sees the robot, for every robot."""
    overall = result["overall"]
    goals = [
        [what, "-" if overall[key] is None else form.format(overall[key]), goal]
        for what, key, form, goal in GOALS
    ]
    spaces = result["spaces"]
    horizons = list(next(iter(spaces.values()))["psnr_db"]["model"])
    rows = []
    for space, figures in spaces.items():
        for row, title in FRAMES.items():
            psnr, ssim = figures["psnr_db"][row], figures["ssim"][row]
            rows.append([space, title] + [f"{psnr[h]:.1f} ({ssim[h]:.2f})" for h in horizons]
                        + follows(figures["following"][row]))  # fmt: skip
        rows.append([space, "real frames", *[""] * len(horizons)]
                    + follows(figures["following"]["real frames"]))  # fmt: skip
    notes = "".join(f"- {space}: {about(figures)}\n" for space, figures in spaces.items())
    head = ["", "frames ahead", *horizons, "pose off by", "near"]
    worlds = ", ".join(overall["worlds"])
    return (
        markdown([f"16 frames ahead, mean over {worlds}", "measured", "goal"], goals)
        + "\n" + markdown(head, rows) + "\n" + notes
    )  # fmt: skip


def about(figures: dict) -> str:
    """What the outcome heads are worth, in a sentence."""
    parts = [
        f"{event.replace('_', ' ')}: AUROC {values['auroc']:.2f}, mean probability "
        f"{values['mean_probability']:.3f} where it happens in {values['mean_frequency']:.3f} of the frames"
        for event, values in figures["events"].items()
        if values["auroc"] is not None
    ]
    if "object_error_m" in figures:
        away = figures["object_error_m"]["16"]
        parts.insert(0, f"the object is imagined {100 * away:.1f} cm off after 16 frames")
    return "; ".join(parts) or "no labels"


def follows(probe: dict) -> list[str]:
    return [f"{100 * probe['mean_error_m']:.1f} cm", f"{probe['near']:.0%}"]


def ranking(result: dict) -> str:
    """Rank correlation, and the mean outcome by who chooses, for every robot."""
    rows = []
    for robot, figures in result["robots"].items():
        for row, title in CHOICES.items():
            low, high = figures["outcome_95"][row]
            rows.append([robot, title, f"{figures['outcome'][row]:.2f}", f"{low:.2f} to {high:.2f}",
                         f"{figures['collisions'][row]:.0%}"])  # fmt: skip
    def share(value: float | None) -> str:
        return "-" if value is None else f"{value:.0%}"

    correlations = "".join(
        f"- {robot}: Spearman correlation of score and outcome {figures['spearman']:.2f} "
        "({:.2f} to {:.2f}), ".format(*figures["spearman_95"]) + f"{figures['scenes']} scenes; vetoed: "
        f"{share(figures['vetoed_of_colliding'])} of the plans that collide, "
        f"{share(figures['vetoed_of_harmless'])} of those that do not\n"
        for robot, figures in result["robots"].items()
    )
    head = ["", "chosen by", "mean outcome", "95 % interval", "collisions"]
    return correlations + "\n" + markdown(head, rows)


def latency(result: dict) -> str:
    """Percentiles of one request, and the plain loop."""
    rows = [
        [title, *(f"{result[name][p]:.0f} ms" for p in ("p50_ms", "p95_ms", "p99_ms"))]
        for name, title in LATENCIES.items()
    ]
    plain = f"{result['plain_loop_ms']:.0f} ms"
    rows.append(["the same by the plain loop: 50 steps, one plan at a time (*)", plain, "", ""])
    speed = (
        "\n(*) timed on one frame of one plan, times the number of frames and plans. "
        f"{result['imagined_frames_per_s']:.0f} frames a second are imagined as latents, "
        f"{result['share_of_peak']:.0%} of the machine's matrix-product peak; {result['threads']} "
        f"threads on {result['device']}{', one core kept busy' if result['loaded_core'] else ''}.\n"
    )
    return markdown(["", "p50", "p95", "p99"], rows) + speed


ABLATIONS = {
    "full": "everything",
    "no-drawing": "without the robot drawn along the plan",
    "no-experts": "without experts: one encoder for all kinds of actions",
    "no-moving": "without moved latents: the change of each cell in its own place",
    "no-residual": "without the residual: the next latent itself is predicted",
    "no-history-noise": "without noise on the history",
    "no-rollouts": "without training on own roll-outs",
}


def ablations(results: dict[str, dict]) -> str:
    """What each part is worth: a short training without it, beside one with everything."""
    worlds = next(iter(results.values()))["overall"]["worlds"]
    rows = []
    for name, title in ABLATIONS.items():
        if name not in results:
            continue
        overall, spaces = results[name]["overall"], results[name]["spaces"].values()
        gains = []
        for world in worlds:
            own = [each["gain_over_copy_db"]["mean"] for each in spaces if each["world"] == world]
            gains.append(f"{sum(own) / len(own):+.2f} dB")
        rows.append([title, *gains, f"{overall['ssim']:.3f}", f"{overall['near']:.0%}",
                     f"{overall['near_shuffled']:.0%}", f"{overall['drift_db']:.2f} dB"])  # fmt: skip
    head = ["16 frames ahead", *(f"{world}: over copy" for world in worlds), "SSIM", "near",
            "near, shuffled", "drift to 64"]  # fmt: skip
    return markdown(head, rows)


TABLES = {"evaluation": evaluation, "ranking": ranking, "latency": latency, "ablations": ablations}


def table(name: str, results: Path) -> str:
    """One table and where it comes from; empty without its files."""
    folder, path = results / name, results / f"{name}.json"
    if folder.is_dir():
        found = {each.stem: json.loads(each.read_text()) for each in sorted(folder.glob("*.json"))}
        if not found:
            return ""

        def all_of(key: str) -> str:
            return ", ".join(sorted({each[key] for each in found.values()}))

        origin = (
            f"[{name}](docs/results/{name}): `sh docs/{name}.sh runs/tiny`, commit {all_of('commit')}, "
            f"{all_of('machine')}, {all_of('date')}."
        )
        return f"\n{TABLES[name](found)}\n{origin}\n\n"
    if not path.exists():
        return ""
    result = json.loads(path.read_text())
    origin = (
        f"[{path.name}](docs/results/{path.name}): `{result['command']}`, "
        f"commit {result['commit']}, {result['machine']}, {result['date']}."
    )
    return f"\n{TABLES[name](result)}\n{origin}\n\n"


def rewritten(readme: str, results: Path) -> str:
    """The README's text with every table made anew."""
    return MARKS.sub(lambda m: m[1] + table(m[2], results) + m[3], readme)


def main() -> int:
    old = README.read_text()
    new = rewritten(old, DOCS / "results")
    if "--check" in sys.argv[1:]:
        return int(old != new)
    README.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
