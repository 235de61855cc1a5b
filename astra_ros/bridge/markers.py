"""Markers for RViz: the path of the tool along each plan, and the imagined path of the object."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Pose, Quaternion
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from astra_ros.critics.scoring import VETOED, PlanScore

VETOED_RGB = (1.0, 0.0, 1.0)


def plan_colours(scores: Sequence[PlanScore]) -> list[tuple[float, float, float]]:
    """Green to red by percentile: the share of the other plans with a better score. Vetoed plans are magenta.

    Vetoed plans do not count, and neither does how far scores lie apart: one very bad plan leaves the colours of the
    others as they are. Equal scores have one colour.
    """
    usable = [each.score for each in scores if each.verdict != VETOED]

    def colour(score: PlanScore) -> tuple[float, float, float]:
        if score.verdict == VETOED:
            return VETOED_RGB
        share = sum(other > score.score for other in usable) / max(1, len(usable) - 1)
        return (min(1.0, 2.0 * share), min(1.0, 2.0 * (1.0 - share)), 0.0)

    return [colour(score) for score in scores]


def plans_to_markers(
    scores: Sequence[PlanScore],
    paths: np.ndarray | None,
    objects: np.ndarray | None,
    stamp: Time,
    frame_id: str,
    chosen: str = "",
) -> MarkerArray:
    """Lines and labels of K plans, after a marker that deletes those of the last request.

    Namespaces are ``tool_path`` (a line per plan), ``label`` (name and score, in the middle of the line) and
    ``object_path`` (dots where the object is imagined). Ids are plan indices.

    Args:
        paths: [K, N, 3] m, the path of the tool, or None.
        objects: [K, N, 3] m, the imagined object, or None.
        stamp: the source image's.
        frame_id: frame of the positions.
        chosen: name of the plan that is drawn thicker.
    """

    def marker(namespace: str, index: int, **fields) -> Marker:
        upright = Pose(orientation=Quaternion(w=1.0))
        return Marker(header=Header(stamp=stamp, frame_id=frame_id), ns=namespace, id=index, pose=upright, **fields)

    msg = MarkerArray(markers=[marker("tool_path", 0, action=Marker.DELETEALL)])
    for index, (score, (red, green, blue)) in enumerate(zip(scores, plan_colours(scores))):
        best = score.name == chosen
        colour = ColorRGBA(r=red, g=green, b=blue, a=1.0 if best else 0.6)
        if paths is not None:
            line = marker("tool_path", index, type=Marker.LINE_STRIP, color=colour, points=_points(paths[index]))
            line.scale.x = 0.008 if best else 0.004
            label = marker("label", index, type=Marker.TEXT_VIEW_FACING, color=colour)
            label.scale.z = 0.03
            # In the middle, where plans differ: they may all end where they began.
            middle = paths[index][len(paths[index]) // 2]
            label.pose.position.x, label.pose.position.y = float(middle[0]), float(middle[1])
            label.pose.position.z = float(middle[2]) + 0.04
            label.text = f"{score.name} {score.score:.2f}"
            msg.markers += [line, label]
        if objects is not None:
            dots = marker("object_path", index, type=Marker.SPHERE_LIST, color=colour, points=_points(objects[index]))
            dots.scale.x = dots.scale.y = dots.scale.z = 0.015
            msg.markers.append(dots)
    return msg


def _points(positions: np.ndarray) -> list[Point]:
    """[N, 3] as points; those that are not finite are left out."""
    return [Point(x=float(x), y=float(y), z=float(z)) for x, y, z in positions if np.isfinite((x, y, z)).all()]
