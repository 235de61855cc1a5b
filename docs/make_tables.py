"""Write the result tables of README, docs and model cards from docs/results, so no figure is typed by hand.

    python docs/make_tables.py           # rewrite what is between the table marks
    python docs/make_tables.py --check   # exit 1 if a page says something else

A table stands between `<!-- table: NAME -->` and `<!-- end -->`. NAME is

    goals                     the project's goals, a column for every model that was measured
    summary                   some of their rows, for the README
    MODEL/goals               the same of one model
    MODEL/evaluation, MODEL/ranking, MODEL/style    from results/MODEL/evaluation.json and so on
    MODEL/speed               every engine beside an older build, from results/MODEL/speed.json
    planning                  how long motions of arms take to plan, from results/planning.json
    ablations                 a row for every file of results/ablations
    moving                    what is left of moving things, from every file of results/moving

While its files are missing, a table is empty.
"""

import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

DOCS = Path(__file__).resolve().parent
RESULTS = DOCS / "results"
PAGES = [
    DOCS.parent / "README.md",
    DOCS / "performance.md",
    DOCS / "planning.md",
    DOCS / "results.md",
    DOCS / "training.md",
    *sorted(DOCS.parent.glob("models/*/README.md")),
]
MARKS = re.compile(r"(<!-- table: ([\w/-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
FRAMES = {
    "ceiling": "autoencoder alone",
    "model": "**model**",
    "decoded": "model, decoded alone",
    "shuffled": "model, given another plan's motion",
    "geometry": "the last frame, moved by geometry alone",
    "copy": "copy of the last frame",
}
STYLES = {
    "ceiling": "autoencoder alone",
    "told": "**model, with a reference image**",
    "matched": "model, only mean and spread of its colours matched",
    "untold": "model, without a reference image",
    "copy": "copy of the last frame, in the first style",
}
TRUTHS = {
    "contact": "whether the plan collides",
    "progress": "how far the task gets (of an arm: where the object ends)",
    "gain": "what will be seen",
    "off_road": "whether the car leaves the road",
    "all": "all of it",
}
CHOICES = {"random": "a random plan", "score": "**the best score**", "oracle": "the simulator itself (upper limit)"}


def markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


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
SUMMARY = ("ceiling_psnr_db", "gain_over_copy_db", "lpips", "lpips_copy", "near", "near_shuffled", "spearman",
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


def evaluation(result: dict) -> str:
    """PSNR (SSIM) by horizon and where a probe sees the robot, for every robot."""
    spaces = result["spaces"]
    horizons = list(next(iter(spaces.values()))["psnr_db"]["model"])
    rows = []
    for space, figures in spaces.items():
        for row in [row for row in FRAMES if row in figures["psnr_db"]]:
            psnr, ssim = figures["psnr_db"][row], figures["ssim"][row]
            lpips = f"{figures['lpips'][row]['16']:.3f}" if "lpips" in figures else ""
            quality = [f"{psnr[h]:.1f} ({ssim[h]:.2f})" for h in horizons]
            rows.append([space, FRAMES[row], *quality, lpips, *follows(figures, row)])
        rows.append([space, "real frames", *[""] * len(horizons), "", *follows(figures, "real frames")])
    notes = "".join(f"- {space}: {about(figures)}\n" for space, figures in spaces.items())
    head = ["", "frames ahead", *horizons, "LPIPS at 16", "pose off by", "near"]
    return markdown(head, rows) + "\n" + notes + seen(result)


def seen(result: dict) -> str:
    """PSNR of pixels that a moving camera's last image shows too, and of the others; empty without moving cameras."""
    rows: list[list[str]] = []
    horizons: list[str] = []
    for space, figures in result["spaces"].items():
        if of := figures.get("seen"):
            horizons = horizons or list(of["share"])
            for which, title in (("seen_db", "seen"), ("unseen_db", "not seen")):
                values = {row: by_horizon for row, by_horizon in of[which].items() if row in FRAMES}
                rows += [
                    [space, title, FRAMES[row], *(f"{by[h]:.1f}" if h in by else "-" for h in horizons)]
                    for row, by in values.items()
                ]
            rows.append([space, "share that was seen", "", *(f"{of['share'].get(h, 0):.0%}" for h in horizons)])
    return "\n" + markdown(["", "pixels", "PSNR, dB, frames ahead", *horizons], rows) if rows else ""


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
        parts.insert(0, f"position of the object after 16 frames: {100 * away:.1f} cm off")
    if figures["still"]["share"]:
        parts.append(f"left out, because nothing had changed: {figures['still']['share']:.1%} of the frames "
                     f"({figures['still']['psnr_db']:.1f} dB there)")  # fmt: skip
    return "; ".join(parts) or "no labels"


def follows(figures: dict, row: str) -> list[str]:
    """Where the probe sees the robot; empty where there was none."""
    if "following" not in figures:
        return ["", ""]
    probe = figures["following"][row]
    return [f"{100 * probe['mean_error_m']:.1f} cm", f"{probe['near']:.0%}"]


def style(result: dict) -> str:
    """PSNR by horizon of scenes imagined in another style, for every robot."""
    # A robot has none where no scene of it was recorded twice.
    found = {space: figures["style"] for space, figures in result["spaces"].items() if "style" in figures}
    first = next(iter(found.values()))
    horizons = list(first["psnr_db"]["told"])
    rows = [
        [f"{space}, {of['clips']} clips", title, *(f"{of['psnr_db'][row][h]:.1f}" for h in horizons)]
        for space, of in found.items()
        for row, title in STYLES.items()
    ]
    adds, over_matched = (
        ", ".join(
            "{} {:+.2f} dB ({:+.2f} to {:+.2f})".format(space, of[gain]["mean"], *of[gain]["interval_95"])
            for space, of in found.items()
        )
        for gain in ("gain_db", "gain_over_matched_db")
    )
    return markdown(["PSNR, dB", "frames ahead", *horizons], rows) + (
        f"\nWhat the reference image adds, {first['gain_db']['horizon']} frames ahead (95 % interval): {adds}.\n"
        f"\nWhat it adds beyond matched colours: {over_matched}.\n"
    )


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
        "({:.2f} to {:.2f}), ".format(*figures["spearman_95"])
        + f"{figures['scenes']} scenes; vetoed: "
        f"{share(figures['vetoed_of_colliding'])} of the plans that collide, "
        f"{share(figures['vetoed_of_harmless'])} of those that do not\n"
        for robot, figures in result["robots"].items()
    )
    head = ["", "chosen by", "mean outcome", "95 % interval", "collisions"]
    return correlations + "\n" + markdown(head, rows) + "\n" + verdicts(result) + losses(result)


def losses(result: dict) -> str:
    """Where ranking is lost, for every robot; empty for result files that do not say it."""
    robots = {robot: figures for robot, figures in result["robots"].items() if "with_truth" in figures}
    if not robots:
        return ""

    def cells(figures: dict, outcome: float, collisions: float) -> list[str]:
        spearman = "{:.2f} ({:.2f} to {:.2f})".format(figures["spearman"], *figures["spearman_95"])
        return [spearman, f"{figures['top1_regret']:.0%}", f"{outcome:.2f}", f"{collisions:.0%}"]

    rows, notes = [], []
    for robot, figures in robots.items():
        chosen = figures["outcome"]["score"], figures["collisions"]["score"]
        rows.append([robot, "**nothing: the score**", *cells(figures, *chosen)])
        others = {TRUTHS[part]: each for part, each in figures["with_truth"].items()}
        if figures["without_imagination"]:
            others["nothing is imagined, the plan alone is read"] = figures["without_imagination"]
        rows += [[robot, title, *cells(each, each["outcome"], each["collisions"])] for title, each in others.items()]
        notes.append(f"- {robot}: {diagnosis(figures)}\n")
    head = ["", "replaced by the truth", "Spearman", "top-1 regret", "mean outcome", "collisions"]
    return "\n" + markdown(head, rows) + "\n" + "".join(notes)


def diagnosis(figures: dict) -> str:
    """Each critic alone, the probability of contact, and generators of plans, in a sentence."""
    alone = ", ".join(f"`{name}` {each['spearman']:.2f}" for name, each in figures["critics_alone"].items())
    parts = [f"Spearman of each critic alone: {alone}"]
    if contact := figures.get("contact"):
        separates = "-" if contact["auroc"] is None else f"{contact['auroc']:.2f}"
        told = f"contact of a plan: AUROC {separates}, ECE {contact['ece']:.2f}"
        if veto := contact["veto"]:
            vetoes = f"misses {veto['missed']:.0%} of the colliding plans"
            if veto["vetoed_of_harmless"] is not None:
                vetoes += f" and vetoes {veto['vetoed_of_harmless']:.0%} of the others"
            told += f"; `collision.veto_above` {veto['veto_above']:g} {vetoes}"
        parts.append(told)
    if generators := figures["generators"]:
        r = "-" if generators["pearson"] is None else f"{generators['pearson']:.2f}"
        many = len(generators["by_kind"])
        parts.append(
            f"{many} generators of plans, mean score against mean outcome: Pearson {r}, MMRV {generators['mmrv']:.2f}"
        )
    return "; ".join(parts)


def verdicts(result: dict) -> str:
    """The plans of each verdict, all of them and the chosen ones, for every robot."""

    def cells(values: dict | None, note: str = "") -> list[str]:
        if values is None:
            return ["", "", ""]
        return [f"{note}{values['share']:.0%}", f"{values['outcome']:.2f}", f"{values['collisions']:.0%}"]

    rows = [
        [robot, name, *cells(values), *cells(figures["chosen_verdicts"].get(name), "none: " * (name == "vetoed"))]
        for robot, figures in result["robots"].items()
        for name, values in figures["verdicts"].items()
    ]
    outcome = ["mean outcome", "collisions"]
    return markdown(["all plans", "verdict", "share", *outcome, "chosen in", *outcome], rows)


def percentiles(times: dict, digits: int = 0) -> list[str]:
    return [f"{times[p]:.{digits}f} ms" for p in ("p50_ms", "p95_ms", "p99_ms")]


def speed(result: dict) -> str:
    """Every engine under every condition, beside the older build where one was measured."""
    key = f"times_faster_than_{result['against']['commit']}" if "against" in result else ""
    rows = []
    for measured in result["measurements"]:
        rate, load = measured["rate_hz"], ", one core kept busy" if measured["loaded_core"] else ""
        pace = f"at {rate:g} Hz" if rate else "back to back"
        request = f"{measured['plans']} x {measured['horizon']}, {pace}{load}"
        for engine, each in measured["engines"].items():
            ratio = "{median:.2f} ({q25:.2f} to {q75:.2f})".format(**each[key]) if key in each else ""
            cost = f"{each['cpu_ms']:.0f} ms", f"{each['share_of_peak']:.0%}"
            rows.append([request, engine, *percentiles(each["request"]), *cost, ratio])
    for engine, facts in result["engines"].items():
        for each in facts["over_topics"]:
            rate, load = each["rate_hz"], ", one core kept busy" if each["loaded_core"] else ""
            pace = f", at {rate:g} Hz" if rate else ""
            faster = f"{each[key]:.2f}" if key in each else ""
            rows.append([f"over topics{pace}{load}", engine, *percentiles(each["image_to_scores"]), "", "", faster])
    head = ["plans x frames", "engine", "p50", "p95", "p99", "processor time", "share of peak", key.replace("_", " ")]
    starts = [
        [engine, f"{each['start_up_s']:.1f} s", f"{each['peak_memory_mb']:.0f} MB", f"{each['gflop_per_request']:.1f}"]
        for engine, each in result["engines"].items()
    ]
    missing = "".join(f"\n`{engine}` was not measured: {why}\n" for engine, why in result["cannot_run"].items())
    facts_head = ["engine", "start to first scores, warm caches", "peak memory", "GFLOP of imagining a request"]
    parts = [markdown(head, rows), nodes(result), images(result), markdown(facts_head, starts) + missing]
    return "\n".join(part for part in parts if part)


def nodes(result: dict) -> str:
    """The imagine nodes as processes; empty where none was measured."""
    rows = [
        [engine, f"{node['start_up_s']:.1f} s", f"{node['peak_memory_mb']:.0f} MB", *percentiles(node["ros_adds"], 1)]
        for engine, facts in result["engines"].items()
        if (node := facts.get("node"))
    ]
    head = ["imagine node", "start to first scores", "peak memory", "ROS adds, p50", "p95", "p99"]
    return markdown(head, rows) if rows else ""


def images(result: dict) -> str:
    """Models for images of several sizes, in turns; empty where only one was measured."""
    rows = []
    for model in result.get("models", ()):
        for engine, each in model["engines"].items():
            size, ratio = "{1} x {0}".format(*model["image_size"]), each.get("times_the_time")
            times = "{median:.2f} ({q25:.2f} to {q75:.2f})".format(**ratio) if ratio else "1"
            flops = f"{model['gflop_per_request']:.1f}"
            imagining = f"{each['parts_ms']['imagine']:.0f} ms"
            rows.append([size, model["model"], engine, flops, *percentiles(each["request"])[:1], imagining, times])
    head = ["image", "model", "engine", "GFLOP", "p50", "of it imagining", "times the time of the first model"]
    return markdown(head, rows) if rows else ""


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


def planning(result: dict) -> str:
    """How long candidate motions take, a column for each arm."""
    robots = result["robots"]
    rows = {
        "request to candidates, p50": "p50_s", "p95": "p95_s", "longest": "most_s",
        "processor time of the planner with all candidates, p50": "processor_p50_s", "the same, p95": "processor_p95_s",
        "candidates within the time limit, mean": "mean_candidates", "the fewest": "least_candidates",
        "poses that cannot be reached": "refused",
    }  # fmt: skip
    head = [f"{result['candidates']} candidates, time limit {result['time_limit_s']:g} s", *robots]

    def shown(key: str, value: float) -> str:
        return f"{value:.2f} s" if key.endswith("_s") else f"{value:g}"

    text = markdown(
        head, [[title, *(shown(key, each[key]) for each in robots.values())] for title, key in rows.items()]
    )
    load = f"{result['load_before']:g} processes wanted a core when the measurement began."
    return f"{text}\n{load}\n"


# Model, and what its labelled object is.
MOVING = {
    "small": ("astra-small", "cube"),
    "one-pass": ("one-pass network", "cube"),
    "pushing-block": ("astra-tiny, trained on for 240 steps", "block"),
    "pushing-moved-block": ("the same with `--moved-weight 4`", "block"),
}


def moving(results: dict[str, dict]) -> str:
    """What is left of moving things. Regions that need no label stand once for each model and robot."""
    columns = ["ceiling", "model", "decoded", "copy"]
    rows: dict[tuple[str, str, str], list[str]] = {}
    for file in [file for file in MOVING if file in results]:
        model, labelled = MOVING[file]
        for space, figures in results[file]["spaces"].items():
            for name, thing in figures["moving"].items():
                title = labelled if name == "object" else name
                for part, suffix in (("rows", ""), ("displaced", ", where it has moved")):
                    if part not in thing:
                        continue
                    count = thing["count" if part == "rows" else "displaced_count"]
                    kept = (thing[part].get(column) for column in columns)  # without a compositor none is decoded alone
                    cells = [
                        f"{each['found']:.0%}, {each['in_place']:.0%}, {each['contrast']:.2f}" if each else "-"
                        for each in kept
                    ]
                    rows[model, space, title + suffix] = [model, space, f"{title}{suffix} ({count})", *cells]
    head = ["model", "robot", "found, in its place, contrast (of how many)", *(FRAMES[name] for name in columns)]
    return markdown(head, list(rows.values()))


MADE = ("commit", "machine", "date")
# of a folder of files, one of each model
FOLDERS = {"ablations": ablations, "moving": moving}
# of one model, each from the result file of that name
TABLES = {"planning": planning, "speed": speed, "evaluation": evaluation, "ranking": ranking, "style": style}


def table(name: str, results: Path, page: Path = PAGES[0]) -> str:
    """One table and where it comes from, for a page; empty without its files."""
    folder, _, kind = name.rpartition("/")
    if kind in FOLDERS:
        files = sorted((results / kind).glob("*.json"))
    elif kind in ("goals", "summary"):
        files = sorted(results.glob(f"{folder or '*'}/*.json"))
        files = [file for file in files if file.stem in {row[2] for row in GOALS}]
    else:
        files = [file for file in [results / f"{name}.json"] if file.exists()]
    if not files:
        return ""
    found = {file: json.loads(file.read_text()) for file in files}

    def link(file: Path, title: str) -> str:
        return f"[{title}]({os.path.relpath(RESULTS / file.relative_to(results), page.parent)})"

    if kind in ("goals", "summary"):
        models: dict[str, dict[str, dict]] = {}
        for file, result in found.items():
            models.setdefault(file.parent.name, {})[file.stem] = result
        text = goals(models, SUMMARY if kind == "summary" else [row[3] for row in GOALS])
        origin = "From " + ", ".join(link(file, f"{file.parent.name}/{file.name}") for file in files) + "."
        return f"\n{text}\n{origin}\n\n"
    if kind in FOLDERS:
        text, origin = FOLDERS[kind]({file.stem: each for file, each in found.items()}), link(results / kind, kind)
    else:
        text, origin = TABLES[kind](found[files[0]]), link(files[0], files[0].name)
    commit, machine, date = (", ".join(sorted({each[key] for each in found.values()})) for key in MADE)
    return f"\n{text}\n{origin}: `{found[files[0]]['command']}`, commit {commit}, {machine}, {date}.\n\n"


def rewritten(text: str, results: Path = RESULTS, page: Path = PAGES[0]) -> str:
    """A page's text with every table made anew."""
    return MARKS.sub(lambda m: m[1] + table(m[2], results, page) + m[3], text)


def main() -> int:
    pages = {page: rewritten(page.read_text(), RESULTS, page) for page in PAGES}
    if "--check" in sys.argv[1:]:
        return int(any(page.read_text() != text for page, text in pages.items()))
    for page, text in pages.items():
        page.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
