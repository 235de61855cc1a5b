"""When a plan that passes the gate begins: as it passes. Without ROS."""

from __future__ import annotations

from astra_ros.nodes.imagine.message_readers import NANOSECONDS
from astra_ros.nodes.imagine.settings import ImagineSettings
from astra_ros.plans.errors import PlanError


def check_stamp(stamp_ns: int, now_ns: int, thing: str) -> None:
    """Refuse a plan that begins later. A stamp that has passed is let pass: it becomes 0. Raises PlanError."""
    ahead_s = (stamp_ns - now_ns) / NANOSECONDS
    if ahead_s > ImagineSettings.stamp_tolerance_s:
        problem = f"its header.stamp lies {ahead_s:.1f} s in the future, and it is judged as one that begins at once"
        raise PlanError(problem, thing=thing, cure="send it with the stamp 0, and check use_sim_time of both nodes")
