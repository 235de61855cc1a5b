"""Write the README's result tables from docs/results/*.json, so that no figure is typed by hand.

    python docs/make_tables.py           # rewrite README.md between the two results marks
    python docs/make_tables.py --check   # exit 1 if README.md says something else
"""

import json
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
README = DOCS.parent / "README.md"
BEGIN, END = "<!-- results: made by docs/make_tables.py -->\n", "<!-- end of results -->"
FRAMES = {
    "ceiling": "autoencoder alone",
    "model": "**model**",
    "shuffled": "model, given another plan's actions",
    "copy": "copy the last frame",
}
CHOICES = {
    "random": "a random plan",
    "first": "the first plan",
    "score": "**the best score**",
    "oracle": "the simulator itself (upper limit)",
}


def markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def source(name: str, result: dict) -> str:
    return (
        f"\n[{name}](docs/results/{name}): `{result['command']}`, commit {result['commit']}, "
        f"{result['machine']}, {result['date']}.\n"
    )


def evaluation(result: dict) -> str:
    """PSNR (SSIM) by horizon, for every robot."""
    robots = result["robots"]
    horizons = list(next(iter(robots.values()))["psnr_db"]["model"])
    rows = [
        [robot, title]
        + [f"{f['psnr_db'][row][h]:.1f} ({f['ssim'][row][h]:.2f})" for h in horizons]
        for robot, f in robots.items()
        for row, title in FRAMES.items()
    ]
    return (
        "**Does the imagined video come true?** Held-out scenes, PSNR in dB and (SSIM); higher is "
        "better. The autoencoder\nalone is the best that the model could reach; copying the last "
        "frame is what it must beat.\n\n" + markdown(["", "frames ahead", *horizons], rows)
    )


def ranking(result: dict) -> str:
    """Mean outcome by who chooses, and the rank correlation, for every robot."""
    robots = result["robots"]
    rows = [
        [robot, title, f"{f['outcome'][row]:.2f}", "{:.2f} to {:.2f}".format(*f["outcome_95"][row]),
         f"{f['collisions'][row]:.0%}"]
        for robot, f in robots.items()
        for row, title in CHOICES.items()
    ]  # fmt: skip
    correlation = "; ".join(
        f"{robot} {f['spearman']:.2f} ({f['spearman_95'][0]:.2f} to {f['spearman_95'][1]:.2f}), "
        f"{f['scenes']} scenes"
        for robot, f in robots.items()
    )
    return (
        f"**Does the score choose well?** {result['plans']} plans a scene, every one really executed "
        "in the simulator.\nSpearman correlation of score and outcome (95 % interval): "
        f"{correlation}.\n\n"
        + markdown(["", "chosen by", "mean outcome", "95 % interval", "collisions"], rows)
    )


def latency(result: dict) -> str:
    """Percentiles of one request, and the plain loop."""
    request, loaded = result["request"], ", one core kept busy" if result["loaded_core"] else ""
    rows = [
        ["**this package**", *(f"{request[p]:.0f} ms" for p in ("p50_ms", "p95_ms", "p99_ms"))],
        ["plain denoising loop, one plan at a time", f"{result['plain_loop_ms']:.0f} ms", "", ""],
    ]
    return (
        f"**How fast?** {result['plans']} plans of {result['horizon']} frames, from camera image to "
        f"scores, {result['threads']} threads on {result['device']}{loaded}:\n"
        f"{result['imagined_frames_per_s']:.0f} imagined frames a second, "
        f"{result['share_of_peak']:.0%} of the machine's matrix-product peak.\n\n"
        + markdown(["", "p50", "p95", "p99"], rows)
    )


TABLES = {
    "evaluation.json": evaluation,
    "ranking.json": ranking,
    "latency.json": latency,
    "latency_loaded.json": latency,
}


def section(results: Path) -> str:
    """Every table whose file is there.

    Raises:
        FileNotFoundError: not one is there.
    """
    parts = []
    for name, table in TABLES.items():
        if (results / name).exists():
            result = json.loads((results / name).read_text())
            parts.append(table(result) + source(name, result))
    if not parts:
        raise FileNotFoundError(f"no results in {results}; make them: make eval, make rank, ...")
    return "\n".join(parts)


def rewritten(readme: str, results: Path) -> str:
    """The README's text with its results section made anew."""
    before, rest = readme.split(BEGIN)
    return before + BEGIN + "\n" + section(results) + "\n" + END + rest.split(END)[1]


def main() -> int:
    old = README.read_text()
    try:
        new = rewritten(old, DOCS / "results")
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    if "--check" in sys.argv[1:]:
        return int(old != new)
    README.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
