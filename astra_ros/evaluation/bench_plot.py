"""The result of `astra bench` as a picture: a bar for each engine under each condition."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2

from astra_ros.evaluation.bench_result import BenchResult, Percentiles
from astra_ros.files import atomic_write
from astra_ros.views.canvas import BAR, DIM, TEXT, TRACK, Canvas

_ROW, _LEFT, _BAR, _WIDTH = 22, 140, 560, 960  # pixels


class Bar(NamedTuple):
    name: str
    times: Percentiles
    note: str = ""


def write_plot(path: Path, result: BenchResult) -> None:
    """Write a PNG. A bar ends at the median, its lighter part at the 99th percentile."""
    shown = [(title, bars) for title, bars in groups(result) if bars]
    lines = sum(1 + len(bars) for _, bars in shown)
    canvas = Canvas((lines + 3) * _ROW, _WIDTH)
    canvas.text(12, _ROW, f"{result.model} on {result.device}: image to scores, median and 99th percentile", 15)
    longest_ms = max(bar.times.p99_ms for _, bars in shown for bar in bars)
    y = 2 * _ROW
    for title, bars in shown:
        canvas.text(12, y + _ROW // 2, title, 12, DIM)
        y += _ROW
        for bar in bars:
            canvas.text(_LEFT - 8, y + _ROW // 2, bar.name, 12, TEXT, "right", _LEFT - 20)
            for value_ms, colour in ((bar.times.p99_ms, TRACK), (bar.times.p50_ms, BAR)):
                canvas.box(_LEFT, y + 4, max(1, round(_BAR * value_ms / longest_ms)), _ROW - 8, colour)
            digits = 0 if bar.times.p50_ms >= 100 else 1
            canvas.text(_LEFT + _BAR + 10, y + _ROW // 2, f"{bar.times.p50_ms:.{digits}f} ms{bar.note}", 12)
            y += _ROW
    with atomic_write(path) as part:
        cv2.imwrite(str(part), canvas.pixels[..., ::-1])


def groups(result: BenchResult) -> Iterator[tuple[str, list[Bar]]]:
    """Titles and the bars under them."""
    for measured in result.measurements:
        bars = []
        for name, timing in measured.engines.items():
            faster = "".join(f", {ratio.median:.2f} times faster" for ratio in timing.times_faster.values())
            bars.append(Bar(name, timing.request, faster))
        yield str(measured.condition), bars
    for model in result.models:
        bars = []
        for name, of_model in model.engines.items():
            times = of_model.times_the_time
            bars.append(Bar(name, of_model.request, f", {times.median:.2f} of the time" if times else ""))
        yield "images of {1} x {0}: {2}, in turns with the others".format(*model.image_size, model.model), bars
    nodes = {name: facts for name, facts in result.engines.items() if facts.node}
    titles = dict.fromkeys(str(each) for facts in nodes.values() for each in facts.over_topics)
    for title in titles:
        bars = []
        for name, facts in nodes.items():
            for each in facts.over_topics:
                if str(each) == title:
                    faster = "".join(f", {ratio:.2f} times faster" for ratio in each.times_faster.values())
                    bars.append(Bar(name, each.image_to_scores, faster))
        yield title, bars
    yield (
        "what ROS adds: image in to scores out, less the model",
        [Bar(name, facts.node.ros_adds) for name, facts in nodes.items() if facts.node],
    )
