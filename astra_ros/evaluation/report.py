"""An evaluation as a page: tables, curves over the horizon, recorded frames beside imagined ones."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from astra_ros.evaluation.contact_calibration import ReliabilityBin
from astra_ros.evaluation.evaluation_result import EvaluationResult
from astra_ros.evaluation.results import provenance
from astra_ros.evaluation.space_figures import HORIZONS, ROWS, STYLE_ROWS, SpaceFigures
from astra_ros.views.filmstrips import filmstrips
from astra_ros.views.video import VideoError, write_mp4

COLOURS = {
    "ceiling": "#888888",
    "model": "#1f6fb4",
    "decoded": "#7fb2dd",
    "shuffled": "#c0392b",
    "geometry": "#3c8d5a",
    "copy": "#d9a21b",
}
ROBOT_COLOURS = ("#1f6fb4", "#c0392b", "#3c8d5a", "#d9a21b", "#7d4fa0")
TITLES = {**ROWS, **STYLE_ROWS, "truth": "what the camera saw", "restyled": "recorded in another style"}
SCALE = 2  # enlargement of the pictures
# A part of the page: its kind, and its texts (of a file its name and a caption) or, of a table, its rows.
Part = tuple[str, Sequence]
MARKDOWN = {"title": "# {}", "heading": "## {}", "text": "{}", "video": "[{1}]({0})", "picture": "![{1}]({0})\n\n*{1}*"}
HTML = {
    "title": "<h1>{}</h1>",
    "heading": "<h2>{}</h2>",
    "text": "<p>{}</p>",
    "video": '<figure><video src="{}" controls loop autoplay muted></video><figcaption>{}</figcaption></figure>',
    "picture": '<figure><img src="{0}" alt="{1}"><figcaption>{1}</figcaption></figure>',
}
CSS = (
    "body{font-family:sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:.3em .8em;"
    "border-bottom:1px solid #ddd;text-align:left}img{max-width:100%;"
    "image-rendering:pixelated}figure{margin:1em 0}figcaption{color:#555;font-size:.9em}"
)


@dataclass(frozen=True)
class Shown:
    """What the report shows of an action space.

    Attributes:
        clips: row -> uint8 [N, H, h, w, 3] of the first clips; `truth` is what the camera saw.
        styled: row -> uint8 [1 + H, h, w, 3] of a clip in a second style, first the frame that it began with; empty
            without such a clip.
    """

    clips: dict[str, np.ndarray]
    styled: dict[str, np.ndarray]


def write_report(folder: Path, result: EvaluationResult, shown: Mapping[str, Shown]) -> None:
    """Write `report.md`, `report.html` and the files that both show."""
    folder.mkdir(parents=True, exist_ok=True)
    made = provenance()
    origin = (
        f"Weights {result.sha256}, episodes of {result.data}. Made by `{made['command']}`, commit {made['commit']}, "
        f"on {made['machine']}, {made['date']}. Every figure is in evaluation.json."
    )
    parts: list[Part] = [
        ("title", [f"{result.model}: is what it imagines true?"]),
        ("text", [origin]),
        ("table", [[f"mean over {', '.join(result.overall.worlds)}", ""], *result.overall.rows()]),
    ]
    if ranking := result.ranking:
        rows = [
            [f"how its scores choose, mean over {', '.join(ranking.worlds)}", ""],
            ["score against true outcome, Spearman", f"{ranking.spearman:.2f}"],
            ["top-1 regret", f"{ranking.top1_regret:.0%}"],
        ]
        parts.append(("table", rows))
    if result.contact_reliability:
        curve = folder / "contact_reliability.svg"
        curve.write_text(reliability_svg(result.contact_reliability))
        caption = "share of the plans that collide, over their probability of contact; on the grey line it is true"
        parts.append(("picture", (curve.name, caption)))
    for space, figures in result.spaces.items():
        parts += _space(folder, space, figures, shown[space], result.dt_s)
    (folder / "report.md").write_text(_markdown(parts))
    (folder / "report.html").write_text(_html(parts))
    print(f"report written to {folder / 'report.html'} and report.md")


def _space(folder: Path, space: str, figures: SpaceFigures, shown: Shown, dt_s: float) -> list[Part]:
    parts: list[Part] = [("heading", [f"{space}, {figures.clips} held-out clips"]), ("table", figures.quality())]
    if figures.seen:
        parts.append(("table", figures.seen.quality()))
    if figures.moving:
        parts.append(("table", figures.moving_table()))
    if figures.following:
        parts.append(("table", _following(figures)))
    curve = folder / f"psnr_{space}.svg"
    curve.write_text(curves_svg(figures.psnr_curve_db))
    parts.append(("picture", (curve.name, f"PSNR in dB over frames ahead, {space}")))
    video = folder / f"{space}.mp4"
    frames = np.concatenate([shown.clips[row][0] for row in ("truth", "model")], axis=2)
    try:
        write_mp4(video, frames.repeat(SCALE, 1).repeat(SCALE, 2), 1 / dt_s)
        caption = f"{space}, clip 1: on the left what the camera saw, on the right imagined"
        parts.append(("video", (video.name, caption)))
    except VideoError as error:  # the rest of the report does not need the video
        print(f"note: {error}")
    for index in range(len(shown.clips["truth"])):
        name = f"{space}_{index}.png"
        _strip(folder / name, {row: frames[index] for row, frames in shown.clips.items()}, dt_s)
        parts.append(("picture", (name, f"{space}, clip {index + 1}")))
    if figures.style:
        name = f"{space}_style.png"
        _strip(folder / name, shown.styled, dt_s, given=True)
        parts.append(("table", figures.style.quality()))
        caption = f"{space}, in another style; left: the given image, then the last observed frames"
        parts.append(("picture", (name, caption)))
    return parts


def _following(figures: SpaceFigures) -> list[list[str]]:
    rows = [["pose read from", "mean distance", "near"]]
    for row, pose in (figures.following or {}).items():
        distance = f"{100 * pose.mean_error_m:.1f} cm"
        if pose.mean_error_rad is not None:
            distance += f", {np.degrees(pose.mean_error_rad):.1f} degrees"
        rows.append([TITLES.get(row, row), distance, f"{pose.near:.0%}"])
    return rows


def curves_svg(curves: dict[str, list[float]], width: int = 640, height: int = 300) -> str:
    """Lines over frames ahead, as an SVG picture."""
    left, right, top, bottom = 46, 170, 12, 34
    values = np.concatenate([np.asarray(curve) for curve in curves.values()])
    low, high = np.floor(values.min()), np.ceil(values.max())
    length = max(map(len, curves.values()))

    def x(frame: float) -> float:
        return left + (frame - 1) / max(length - 1, 1) * (width - left - right)

    def y(value: float) -> float:
        return top + (high - value) / max(high - low, 1e-9) * (height - top - bottom)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for value in np.linspace(low, high, 5):
        parts.append(
            f'<line x1="{left}" x2="{width - right}" y1="{y(value):.1f}" '
            f'y2="{y(value):.1f}" stroke="#dddddd"/>'
            f'<text x="{left - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.1f}</text>'
        )
    for frame in [h for h in HORIZONS if h <= length]:
        parts.append(f'<text x="{x(frame):.1f}" y="{height - 16}" text-anchor="middle">{frame}</text>')
    parts.append(f'<text x="{(left + width - right) / 2}" y="{height - 2}" text-anchor="middle">frames ahead</text>')
    ends = sorted((y(curve[-1]), name) for name, curve in curves.items())
    free = 0.0
    for end, name in ends:  # names beside the ends of the lines, without overlaps
        free = max(end, free + 15)
        parts.append(
            f'<text x="{width - right + 6}" y="{free + 4:.1f}" fill="{COLOURS[name]}">'
            f"{html.escape(TITLES[name][:26])}</text>"
        )
    for name, curve in curves.items():
        points = " ".join(f"{x(k + 1):.1f},{y(value):.1f}" for k, value in enumerate(curve))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"/>')
    return "\n".join([*parts, "</svg>\n"])


def reliability_svg(curves: Mapping[str, Sequence[ReliabilityBin]], size: int = 340) -> str:
    """Reliability curves of robots, as an SVG picture. A dot is a tenth of the probabilities, larger for more plans."""
    left, top, legend = 46, 12, 90
    edge = size - left - 12

    def x(value: float) -> float:
        return left + value * edge

    def y(value: float) -> float:
        return top + (1 - value) * edge

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size + legend}" height="{size}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{size + legend}" height="{size}" fill="white"/>',
        f'<line x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}" stroke="#bbbbbb" stroke-width="2"/>',
    ]
    for value in (0.0, 0.5, 1.0):
        parts.append(f'<text x="{left - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:g}</text>')
        parts.append(f'<text x="{x(value):.1f}" y="{top + edge + 16}" text-anchor="middle">{value:g}</text>')
    parts.append(f'<text x="{left + edge / 2}" y="{size - 4}" text-anchor="middle">probability of contact</text>')
    for number, (robot, bins) in enumerate(curves.items()):
        colour = ROBOT_COLOURS[number % len(ROBOT_COLOURS)]
        most = max(each.plans for each in bins)
        points = [(x(each.probability), y(each.frequency), 2 + 4 * (each.plans / most) ** 0.5) for each in bins]
        line = " ".join(f"{across:.1f},{up:.1f}" for across, up, _ in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="{r:.1f}" fill="{colour}"/>' for a, b, r in points]
        parts.append(f'<text x="{size}" y="{top + 12 + 16 * number}" fill="{colour}">{html.escape(robot)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _strip(path: Path, rows: dict[str, np.ndarray], dt_s: float, given: bool = False) -> None:
    """A PNG with some frames of each row [H, h, w, 3]; with `given`, of [1 + H, h, w, 3], first the given frame."""
    import cv2

    at = [h - 1 for h in HORIZONS if h <= len(next(iter(rows.values()))) - given]
    first = [0] if given else []
    picture = filmstrips(
        [(TITLES[row], frames[first + [k + given for k in at]]) for row, frames in rows.items()],
        ["given"] * given + [f"+{(k + 1) * dt_s:g} s" for k in at],
        SCALE,
    )
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def _markdown(parts: list[Part]) -> str:
    return "\n".join(
        (_markdown_table(texts) if kind == "table" else MARKDOWN[kind].format(*texts)) + "\n" for kind, texts in parts
    )


def _markdown_table(rows: Sequence[Sequence[str]]) -> str:
    head, *rest = rows
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rest])


def _html(parts: list[Part]) -> str:
    body = [
        _html_table(texts) if kind == "table" else HTML[kind].format(*map(html.escape, texts)) for kind, texts in parts
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>astra eval</title>'
        f"<style>{CSS}</style><body>" + "\n".join(body) + "</body></html>\n"
    )


def _html_table(rows: Sequence[Sequence[str]]) -> str:
    lines = [
        "<tr>" + "".join(f"<{cell}>{html.escape(text)}</{cell}>" for text in row) + "</tr>"
        for cell, row in zip(["th"] + ["td"] * len(rows), rows)
    ]
    return "<table>" + "".join(lines) + "</table>"
