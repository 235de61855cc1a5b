"""An evaluation as a page to look at: tables, curves over the horizon, real beside imagined."""

from __future__ import annotations

import html
from pathlib import Path

import numpy as np

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
TITLES = {
    "truth": "what the camera saw",
    "ceiling": "autoencoder alone",
    "model": "imagined",
    "decoded": "imagined, decoded alone",
    "shuffled": "imagined with another plan's motion",
    "geometry": "last frame moved by geometry",
    "copy": "copy of the last frame",
    "restyled": "recorded in another style",
    "told": "imagined, shown a picture of it",
    "matched": "imagined, its colours matched alone",
    "untold": "imagined, not shown one",
}
SHOWN = (1, 4, 8, 16, 32, 64)
SCALE = 2  # of the pictures


def write_report(
    folder: Path, result: dict, pictures: dict[str, dict[str, np.ndarray]], in_style: dict[str, dict[str, np.ndarray]]
) -> None:
    """Write `report.md`, `report.html`, and the files that both show.

    Args: `result` as `astra eval --out` writes it; `pictures` of each action space: `truth` and
    rows, uint8 [N, H, h, w, 3]; `in_style` of those recorded in a second style: `restyled` and rows, uint8
    [1 + H, h, w, 3], first what was given.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts: list[tuple[str, object]] = [
        ("title", f"{result['model']}: is what it imagines true?"),
        (
            "text",
            f"Weights {result['sha256']}, episodes of {result['data']}. Made by `{result['command']}`, "
            f"commit {result['commit']}, on {result['machine']}, {result['date']}. Every figure is "
            "in evaluation.json.",
        ),
        ("table", _overall(result["overall"])),
    ]
    if ranked := result.get("ranking"):
        parts.append(
            (
                "table",
                [
                    [f"how its scores choose, mean over {', '.join(ranked['worlds'])}", ""],
                    ["score against true outcome, Spearman", f"{ranked['spearman']:.2f}"],
                    ["top-1 regret", f"{ranked['top1_regret']:.0%}"],
                ],
            )
        )
    for space, figures in result["spaces"].items():
        parts += [("heading", f"{space}, {figures['clips']} held-out clips"), ("table", _quality(figures))]
        if "following" in figures:
            parts.append(("table", _following(figures)))
        curve = folder / f"psnr_{space}.svg"
        curve.write_text(curves_svg(figures["psnr_curve_db"]))
        parts.append(("picture", (curve.name, f"PSNR in dB over frames ahead, {space}")))
        video = folder / f"{space}.mp4"
        frames = np.concatenate([pictures[space][row][0] for row in ("truth", "model")], axis=2)
        try:
            write_mp4(video, frames.repeat(SCALE, 1).repeat(SCALE, 2), 1 / result["dt_s"])
            parts.append(
                ("video", (video.name, f"{space}, clip 1: on the left what the camera saw, on the right imagined"))
            )
        except VideoError as error:  # figures and pictures are there all the same
            print(f"note: {error}")
        for index in range(len(pictures[space]["truth"])):
            name = f"{space}_{index}.png"
            _strip(folder / name, {row: frames[index] for row, frames in pictures[space].items()}, result["dt_s"])
            parts.append(("picture", (name, f"{space}, clip {index + 1}")))
        if space in in_style:
            name = f"{space}_style.png"
            _strip(folder / name, in_style[space], result["dt_s"], given=True)
            parts += [
                ("table", _style(figures["style"])),
                (
                    "picture",
                    (
                        name,
                        f"{space}, in another style; on the left the picture that was shown, and what "
                        "was imagined from",
                    ),
                ),
            ]
    (folder / "report.md").write_text(_markdown(parts))
    (folder / "report.html").write_text(_html(parts))
    print(f"report written to {folder / 'report.html'} and report.md")


def _overall(overall: dict) -> list[list[str]]:
    """What was measured of the whole: rows that need a probe or published weights only where there were some."""
    rows = [
        ("autoencoder ceiling, PSNR at 16 frames", "ceiling_psnr_db", "{:.2f} dB"),
        ("model over copy of the last frame, PSNR at 16", "gain_over_copy_db", "{:+.2f} dB"),
        ("the same, decoded alone", "gain_over_copy_decoded_db", "{:+.2f} dB"),
        ("PSNR lost with another plan's motion", "lost_when_shuffled_db", "{:.2f} dB"),
        ("SSIM at 16", "ssim", "{:.3f}"),
        ("LPIPS at 16", "lpips", "{:.3f}"),
        ("the same of a copy of the last frame", "lpips_copy", "{:.3f}"),
        ("FVD of the first frames, 16 at most", "fvd", "{:.0f}"),
        ("frames whose pose is near the true one, of the first 16", "near", "{:.0%}"),
        ("the same, decoded alone", "near_decoded", "{:.0%}"),
        ("the same, real frames", "near_real", "{:.0%}"),
        ("the same, another plan's motion", "near_shuffled", "{:.0%}"),
        ("in another style: PSNR gained by a picture of it, at 16", "style_told_db", "{:+.2f} dB"),
        ("the same, over matching its colours alone", "style_told_over_matched_db", "{:+.2f} dB"),
        ("PSNR lost from frame 16 to 64", "drift_db", "{:.2f} dB"),
    ]
    return [
        [f"mean over {', '.join(overall['worlds'])}", ""],
        *([title, form.format(overall[key])] for title, key, form in rows if overall.get(key) is not None),
    ]


def _quality(figures: dict) -> list[list[str]]:
    horizons = list(figures["psnr_db"]["model"])
    rows = [["PSNR dB (SSIM)", *(f"{h} frames" for h in horizons)]]
    for row in figures["psnr_db"]:
        rows.append(
            [TITLES[row], *(f"{figures['psnr_db'][row][h]:.2f} ({figures['ssim'][row][h]:.2f})" for h in horizons)]
        )
    return rows


def _style(figures: dict) -> list[list[str]]:
    horizons = list(figures["psnr_db"]["told"])
    rows = [[f"in another style, {figures['clips']} clips, decoded alone: PSNR dB", *(f"{h} frames" for h in horizons)]]
    return rows + [[TITLES[row], *(f"{values[h]:.2f}" for h in horizons)] for row, values in figures["psnr_db"].items()]


def _following(figures: dict) -> list[list[str]]:
    rows = [["pose read from", "mean distance", "near"]]
    for row, values in figures["following"].items():
        distance = f"{100 * values['mean_error_m']:.1f} cm"
        if "mean_error_rad" in values:
            distance += f", {np.degrees(values['mean_error_rad']):.1f} degrees"
        rows.append([TITLES.get(row, row), distance, f"{values['near']:.0%}"])
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
    for frame in [h for h in SHOWN if h <= length]:
        parts.append(f'<text x="{x(frame):.1f}" y="{height - 16}" text-anchor="middle">{frame}</text>')
    parts.append(f'<text x="{(left + width - right) / 2}" y="{height - 2}" text-anchor="middle">frames ahead</text>')
    ends = sorted((y(curve[-1]), name) for name, curve in curves.items())
    free = 0.0
    for end, name in ends:  # names beside the lines' ends, none on top of another
        free = max(end, free + 15)
        parts.append(
            f'<text x="{width - right + 6}" y="{free + 4:.1f}" fill="{COLOURS[name]}">'
            f"{html.escape(TITLES[name][:26])}</text>"
        )
    for name, curve in curves.items():
        points = " ".join(f"{x(k + 1):.1f},{y(value):.1f}" for k, value in enumerate(curve))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"/>')
    return "\n".join([*parts, "</svg>\n"])


def _strip(path: Path, rows: dict[str, np.ndarray], dt_s: float, given: bool = False) -> None:
    """Some frames of each row [H, h, w, 3] below each other, as a PNG; with `given` [1 + H, h, w, 3], the first one
    being what there was before."""
    import cv2

    at = [h - 1 for h in SHOWN if h <= len(next(iter(rows.values()))) - given]
    first = [0] if given else []
    picture = filmstrips(
        [(TITLES[row], frames[first + [k + given for k in at]]) for row, frames in rows.items()],
        ["given"] * given + [f"+{(k + 1) * dt_s:g} s" for k in at],
        SCALE,
    )
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def _markdown(parts: list[tuple[str, object]]) -> str:
    lines = []
    for kind, value in parts:
        if kind == "title":
            lines += [f"# {value}", ""]
        elif kind == "heading":
            lines += [f"## {value}", ""]
        elif kind == "text":
            lines += [value, ""]
        elif kind == "video":
            lines += [f"[{value[1]}]({value[0]})", ""]
        elif kind == "picture":
            lines += [f"![{value[1]}]({value[0]})", "", f"*{value[1]}*", ""]
        else:
            head, *rows = value
            lines += [
                "| " + " | ".join(head) + " |",
                "|" + " --- |" * len(head),
                *("| " + " | ".join(row) + " |" for row in rows),
                "",
            ]
    return "\n".join(lines)


def _html(parts: list[tuple[str, object]]) -> str:
    body = []
    for kind, value in parts:
        if kind in ("title", "heading", "text"):
            tag = {"title": "h1", "heading": "h2", "text": "p"}[kind]
            body.append(f"<{tag}>{html.escape(value)}</{tag}>")
        elif kind == "video":
            body.append(
                f'<figure><video src="{value[0]}" controls loop autoplay muted></video>'
                f"<figcaption>{html.escape(value[1])}</figcaption></figure>"
            )
        elif kind == "picture":
            body.append(
                f'<figure><img src="{value[0]}" alt="{html.escape(value[1])}">'
                f"<figcaption>{html.escape(value[1])}</figcaption></figure>"
            )
        else:
            head, *rows = value
            body.append(
                "<table>"
                + "".join(
                    "<tr>" + "".join(f"<{cell}>{html.escape(text)}</{cell}>" for text in row) + "</tr>"
                    for cell, row in [("th", head), *(("td", row) for row in rows)]
                )
                + "</table>"
            )
    style = (
        "body{font-family:sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
        "table{border-collapse:collapse;margin:1em 0}td,th{padding:.3em .8em;"
        "border-bottom:1px solid #ddd;text-align:left}img{max-width:100%;"
        "image-rendering:pixelated}figure{margin:1em 0}figcaption{color:#555;font-size:.9em}"
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>astra eval</title>'
        f"<style>{style}</style><body>" + "\n".join(body) + "</body></html>\n"
    )
