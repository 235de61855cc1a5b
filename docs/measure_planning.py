"""Measure how long candidate motions of the simulated arms take to plan.

python docs/measure_planning.py [--out docs/results/planning.json]

Each problem is a random tool pose over the table, from the ready pose. Every request goes through the planner's
process, as the node's do. Poses that are out of reach count beside the others. Processor time is measured in this
process, with time enough for all candidates: what other processes take does not count there.
"""

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from astra_ros.control.motion_candidates import MotionSettings, plan_motions
from astra_ros.control.motion_planner import MotionPlanner
from astra_ros.control.planning_errors import PlanningError
from astra_ros.control.tool_goals import ToolPose
from astra_ros.evaluation.results import provenance, write_json
from astra_ros.simulation.arm.robots import ROBOTS, robot_description

DOWN = (1.0, 0.0, 0.0, 0.0)


def measure(robot: str, problems: int, settings: MotionSettings) -> dict:
    """Seconds from the request to the candidates, and how many there were."""
    spec, random = ROBOTS[robot], np.random.default_rng(7)
    places = random.uniform((0.3, -0.4, 0.03), (0.7, 0.4, 0.5), (problems, 3)).tolist()
    urdf, now = robot_description(spec), dict(zip(spec.joint_names, spec.ready)) | spec.held_joints
    planner = MotionPlanner(settings)
    seconds, counts, refused = [], [], 0
    try:
        planner.plan(now, ToolPose(spec.tool_link, (0.5, 0.0, 0.2), DOWN), urdf)  # reads the robot
        for place in places:
            began = time.perf_counter()
            try:
                counts.append(len(planner.plan(now, ToolPose(spec.tool_link, tuple(place), DOWN), urdf)))
            except PlanningError:
                refused += 1
            seconds.append(time.perf_counter() - began)
    finally:
        planner.close()
    p50, p95, most = np.percentile(seconds, [50, 95, 100]).round(3).tolist()
    processor, found = [], []
    patient = replace(settings, time_limit_s=10.0)
    for place in places:
        began = time.process_time()
        try:
            found.append(len(plan_motions(now, ToolPose(spec.tool_link, tuple(place), DOWN), urdf, patient)))
        except PlanningError:
            continue
        processor.append(time.process_time() - began)
    processor = processor[1:]  # the first one reads the robot
    cpu50, cpu95 = np.percentile(processor, [50, 95]).round(3).tolist()
    return {
        "problems": problems, "p50_s": p50, "p95_s": p95, "most_s": most, "refused": refused,
        "processor_p50_s": cpu50, "processor_p95_s": cpu95, "least_candidates_with_time": min(found),
        "least_candidates": min(counts), "mean_candidates": round(float(np.mean(counts)), 2),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=40)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    settings = MotionSettings(count=args.count, use_floor=True)
    load = round(os.getloadavg()[0], 1)
    robots = {robot: measure(robot, args.problems, settings) for robot in sorted(ROBOTS)}
    for robot, figures in robots.items():
        print(robot, figures)
    if args.out:
        about = provenance() | {"command": "python docs/measure_planning.py"}
        head = {"candidates": args.count, "time_limit_s": settings.time_limit_s, "load_before": load}
        write_json(args.out, {**about, **head, "robots": robots})


if __name__ == "__main__":
    main()
