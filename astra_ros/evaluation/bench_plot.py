"""The result of `astra bench` as a picture: a bar for each engine under each condition."""

from __future__ import annotations

from pathlib import Path

import cv2

from astra_ros.evaluation.bench_result import BenchResult
from astra_ros.files import atomic_write
from astra_ros.views.canvas import BAR, DIM, TEXT, TRACK, Canvas

_ROW, _LEFT, _BAR, _WIDTH = 22, 140, 560, 960  # pixels


def write_plot(path: Path, result: BenchResult) -> None:
    """Write a PNG. A bar ends at the median, its lighter part at the 99th percentile."""
    lines = sum(1 + len(each.engines) for each in result.measurements)
    canvas = Canvas((lines + 3) * _ROW, _WIDTH)
    canvas.text(12, _ROW, f"{result.model} on {result.device}: image to scores, median and 99th percentile", 15)
    longest_ms = max(each.request.p99_ms for of in result.measurements for each in of.engines.values())
    y = 2 * _ROW
    for measurement in result.measurements:
        canvas.text(12, y + _ROW // 2, str(measurement.condition), 12, DIM)
        y += _ROW
        for name, timing in measurement.engines.items():
            canvas.text(_LEFT - 8, y + _ROW // 2, name, 12, TEXT, "right", _LEFT - 20)
            for value_ms, colour in ((timing.request.p99_ms, TRACK), (timing.request.p50_ms, BAR)):
                canvas.box(_LEFT, y + 4, max(1, round(_BAR * value_ms / longest_ms)), _ROW - 8, colour)
            faster = "".join(f", {ratio.median:.2f} times faster" for ratio in timing.times_faster.values())
            canvas.text(_LEFT + _BAR + 10, y + _ROW // 2, f"{timing.request.p50_ms:.0f} ms{faster}", 12)
            y += _ROW
    with atomic_write(path) as part:
        cv2.imwrite(str(part), canvas.pixels[..., ::-1])
