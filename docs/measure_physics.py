"""How well video and physics tell which plans of an arm will touch something; writes docs/results/physics-critic.json.

python docs/measure_physics.py --scenes 40 --out docs/results/physics-critic.json

In each scene the candidates of `astra rank` are imagined and executed, and as many copies that dip or rise on their
way, so that some press the tool into the table. The physics critic is told the robot and the table. What a plan
touches: the obstacle (arm or cube; only the camera knows of it), the table (arm), or either.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from astra_ros.camera.frame_size import to_model_size
from astra_ros.critics import DEFAULT_CRITICS
from astra_ros.datasets.record import FINER
from astra_ros.datasets.robot_renders import simulated_urdf
from astra_ros.evaluation.metrics import auroc
from astra_ros.evaluation.results import write_result
from astra_ros.inference import load_world_model
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.ranking.imaginer import Imaginer, RankingSettings
from astra_ros.simulation.arm.known_bodies import TABLE, post_at
from astra_ros.simulation.worlds import make_world

FIRST_SEED, PLANS, HORIZON = 990_000, 8, 16
DIP_RAD = 0.12  # of the second joint, which lowers the tool; at most


def dipped(plan, index, rng):
    """A copy that leaves the plan on the way by up to `DIP_RAD` in the second joint, and comes back."""
    times_s = np.linspace(0.0, plan.duration_s, 41)
    positions = plan.motion(times_s, plan.positions[0])
    size = rng.uniform(-DIP_RAD, DIP_RAD)
    positions[:, 1] += size * np.sin(np.pi * times_s / plan.duration_s) ** 2
    return JointPlan(plan.joint_names, times_s, positions, f"dipped/{index}")


def touched(world, plan, dt_s):
    """(whether arm or cube touch the obstacle, whether the arm touches the table) as the plan is executed."""
    obstacle = table = False
    world.command(plan)
    for _ in range(round(HORIZON * dt_s / 0.05)):
        world.step(0.05)
        obstacle |= world.labels()["obstacle_contact"]
        points = world._session.getContactPoints(world._bodies["arm"], world._bodies["table"])
        table |= any(point[8] < 1e-3 and point[3] >= 0 for point in points)
    return obstacle, table


def play(imaginer, world, seed):
    """Rows (obstacle, table, video's probability, physics' cost, the same if it knew the obstacle, ms) of a scene."""
    card, dt_s = imaginer.model.card, imaginer.model.card.dt_s
    world.reset(seed)
    frames = [world.render()]
    for _ in range(card.history - 1):
        world.step(dt_s)
        frames.append(world.render())
    history = np.stack([to_model_size(frame, card.image_size) for frame in frames])
    now = dict(zip(world.embodiment.motion_names, world.motion()))
    _, plans = zip(*world.propose(PLANS, seed))
    rng = np.random.default_rng(seed)
    plans = [*plans, *(dipped(plan, index, rng) for index, plan in enumerate(plans))]
    start = world.snapshot()
    truth = []
    for plan in plans:
        world.restore(start)
        truth.append(touched(world, plan, dt_s))
    imaginer.obstacles = (TABLE,)
    goal = to_model_size(world.goal_image(), card.image_size)
    result = imaginer.score(history, plans, now, goal, seed=seed)
    assert not result.prepared.refused and "physics" in result.scores[0].critics, result.missing
    physics = next(critic for critic in imaginer.critics if critic.name == "physics")
    began = time.process_time()  # of one core, whatever else runs
    physics.score(result.critic_input)
    ms = 1000 * (time.process_time() - began)
    x, y, _ = world.state().obstacle_position
    told = physics.score(type(result.critic_input)(**vars(result.critic_input) | {"obstacles": (TABLE, post_at(x, y))}))
    video = result.imagination.outcomes["obstacle_contact"].max(axis=1)
    cost = [score.critics["physics"].cost for score in result.scores]
    return [[*map(float, (*each, *rest)), ms] for each, *rest in zip(truth, video, cost, told.cost)]


def figures(rows):
    """AUROC by what is touched and who predicts, over plans [N, 6]."""
    obstacle, table, video, physics, all_known, ms = np.array(rows).T
    either = np.maximum(obstacle, table)
    by = {
        "video": video,
        "physics": physics,
        "both": 1 - (1 - video) * (1 - physics),
        "physics_told_of_the_obstacle": all_known,
    }
    touches = {"obstacle": obstacle, "table": table, "either": either}
    return {
        "plans": len(rows),
        "share": {name: float(what.mean()) for name, what in touches.items()},
        "auroc": {name: {who: auroc(p, what) for who, p in by.items()} for name, what in touches.items()},
        "physics_vetoes": {"of_plans_that_touch_the_table": float((physics[table > 0] == 1).mean()),
                           "of_others": float((physics[table == 0] == 1).mean())},
        "physics_cpu_ms": {"plans_of_a_request": 2 * PLANS, "median": float(np.median(ms)),
                       "p95": float(np.quantile(ms, 0.95))},
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="small")
    parser.add_argument("--scenes", type=int, default=40)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    model = load_world_model("torch", args.model, "cpu")
    found = {}
    for robot in ("panda", "kuka"):
        settings = RankingSettings(HORIZON, critics=(*DEFAULT_CRITICS, "physics"), action_space=f"{robot}_joints")
        imaginer = Imaginer(model, settings)
        imaginer.robot_description = simulated_urdf(robot)
        imaginer.plan_renders.describe(imaginer.robot_description)
        rows = []
        with make_world("arm", robot, FINER * model.card.image_size[0]) as world:
            for seed in range(FIRST_SEED, FIRST_SEED + args.scenes):
                rows += play(imaginer, world, seed)
        found[robot] = figures(rows)
        print(robot, found[robot])
    if args.out:
        command = f"python docs/measure_physics.py --model {args.model} --scenes {args.scenes}"
        write_result(args.out, {"command": command, "model": model.card.name, "scenes": args.scenes, "robots": found})


if __name__ == "__main__":
    main()
