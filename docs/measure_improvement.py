"""Measure whether plans that the cross-entropy method finds are better, or only better in the model's eyes.

python docs/measure_improvement.py [--scenes 20] [--out docs/results/improvement.json]

Scenes are those of `astra demo --loop`: pushes around an obstacle that the planner does not know. In each scene the
best candidate is found and improved; both plans are then executed from the same state. Rounds are counted instead of
seconds, so that the result does not depend on how busy the machine is.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from astra_ros.agents.loop import ByImagination, Moment
from astra_ros.agents.plan_improvement import ByImprovement, ImprovementSettings
from astra_ros.control.planning_errors import PlanningError
from astra_ros.datasets.record import FINER
from astra_ros.evaluation.metrics import interval
from astra_ros.evaluation.push_loop import PushLoop
from astra_ros.evaluation.results import provenance, write_json
from astra_ros.inference import load_world_model
from astra_ros.inference.world_model import WorldModel
from astra_ros.simulation.arm import planned_pushes
from astra_ros.simulation.rollout import execute

FIRST_SEED = 964_000  # the models' training, calibration and other measurements used other scenes


def measure(model: WorldModel, robot: str, scenes: int, settings: ImprovementSettings, ends_s: float) -> dict:
    """Scores and outcomes of the best candidate and the improved plan, over scenes in which something was chosen."""
    world = planned_pushes.make(robot, FINER * model.card.image_size[0])
    loop = PushLoop(model, world, improvement=settings)
    found: list[dict] = []
    seed, nothing = FIRST_SEED, 0
    try:
        while len(found) + nothing < scenes and time.monotonic() < ends_s:
            world.reset(seed)
            scene = one_scene(loop, seed)
            nothing += scene is None
            found += [] if scene is None else [scene]
            seed += 1
            print(robot, seed, scene, flush=True)
    finally:
        loop.close()
        world.close()
    if not found:
        return {"scenes": 0, "nothing_chosen": nothing}
    before, after = ({key: np.array([each[when][key] for each in found]) for key in found[0]["best"]} for when in WHEN)
    gain = after["outcome"] - before["outcome"]
    return {
        "scenes": len(found),
        "nothing_chosen": nothing,
        "another_plan": float(np.mean([each["changed"] for each in found])),
        "seconds_of_processor": float(np.median([each["seconds"] for each in found])),
        **{when: {key: float(v.mean()) for key, v in of.items()} for when, of in zip(WHEN, (before, after))},
        "outcome_gain": float(gain.mean()),
        "outcome_gain_95": interval(gain),
    }


WHEN = ("best", "improved")


def one_scene(loop: PushLoop, seed: int) -> dict | None:
    """The best candidate and the improved plan, as scored and as executed; None where nothing was planned or chosen."""
    world, card, task = loop.world, loop.model.card, loop.task()
    frames = [world.render()]
    for _ in range(card.history - 1):
        world.step(card.dt_s)
        frames.append(world.render())
    here = world.snapshot()
    places = task.object_position(), task.goal_position
    try:
        plans = loop.robot.planner.push(task.joints(), places, task.robot_urdf, task.pushing)
    except PlanningError:
        return None
    loop.robot.imaginer.plan_renders.describe(task.robot_urdf)
    imagination = ByImagination(loop.robot.imaginer, task.joints, goal_position=task.goal_position, seed=seed)
    moment = Moment(0, 0.0, np.stack(frames))
    first = imagination(moment, plans)
    if first.index is None:
        return None
    began = time.process_time()
    choose = loop.robot.chooser(imagination, task.robot_urdf)
    assert isinstance(choose, ByImprovement)
    then = choose(moment, plans)
    seconds = time.process_time() - began
    scene = {"changed": bool(then.made), "seconds": seconds}
    for when, choice in zip(WHEN, (first, then)):
        plan = [*plans, *choice.made][choice.index]
        world.restore(here)
        verdict = execute(world, plan, loop.robot.imaginer.settings.horizon, card.dt_s, render=False).verdict
        score = choice.result.scores[choice.result.names.index(plan.name)].score
        scene[when] = {"score": score, "outcome": verdict.outcome, "collision": float(verdict.collision)}
    return scene


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=1e6, help="stop after so long, divided among the robots")
    parser.add_argument("--model", default="small")
    parser.add_argument("--backend", default="openvino")
    parser.add_argument("--robots", nargs="+", default=["panda", "kuka"])
    parser.add_argument("--out", type=Path, default=Path("docs/results/improvement.json"))
    args = parser.parse_args()
    settings = ImprovementSettings(seconds=600.0, most_rounds=args.rounds)
    model = load_world_model(args.backend, args.model, "cpu")
    robots = {}
    for robot in args.robots:
        ends_s = time.monotonic() + 60 * args.minutes / len(args.robots)
        robots[robot] = measure(model, robot, args.scenes, settings, ends_s)
    made = provenance()
    made["command"] = "python docs/measure_improvement.py"
    result = {
        "model": model.card.name,
        "sha256": model.card.sha256[:12],
        "backend": args.backend,
        "rounds": args.rounds,
    }
    write_json(args.out, {**made, **result, "samples": settings.samples, "robots": robots})
    print(f"figures written to {args.out}")


if __name__ == "__main__":
    main()
