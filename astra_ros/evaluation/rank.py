"""`astra rank`: is the plan with the best imagined score really the better plan?

In every random scene all candidates are imagined and scored from the camera alone; then the
simulator executes each one. Compared are

  score     the plan that the scores choose (standing still, where all are vetoed)
  random    a random candidate
  oracle    the best candidate by its true outcome

True outcome of a plan, higher is better:

  arm       progress - collision: the share of the way from cube to goal that was covered, minus 1 if
            arm or cube touched the obstacle
  drive     progress - collision - off_road / 2: way along the road over that of a car at 6 m/s
  explore   gain - collision: floor seen for the first time, 14 m^2 are 1

Scenes that begin in contact, or in which every plan ends alike, ask nothing and are left out. What is
wanted is told to the scores as a user would: the arm by a goal image, the car by the critics
`progress` and `off_road`, rover and drone by the critic `curiosity`.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from astra_ros.commands.arguments import HelpFormat, at_least
from astra_ros.critics.curiosity import CuriositySettings
from astra_ros.critics.off_road import OffRoadSettings
from astra_ros.critics.progress import ProgressSettings
from astra_ros.critics.scoring import VERDICTS, VETOED
from astra_ros.datasets.dataset import HELD_OUT_FROM
from astra_ros.datasets.record import FINER
from astra_ros.datasets.robot_renders import simulated_urdf
from astra_ros.evaluation.metrics import interval, kendall, mean_rank_violation, spearman
from astra_ros.evaluation.results import check_writable, write_json, write_result
from astra_ros.inference import DEFAULT_MODEL
from astra_ros.plans.action_spaces import action_space_class
from astra_ros.plans.durations import PLAN_S
from astra_ros.simulation.drive.referee import CRUISE, OFF_ROAD_COST
from astra_ros.simulation.rollout import execute
from astra_ros.simulation.worlds import WORLDS, make_world

# Away from the scenes that `astra record` holds out for `astra eval`.
FIRST_SCENE = HELD_OUT_FROM + 50_000
ALIKE = 1e-3  # outcomes that differ by less


@dataclass(frozen=True)
class Task:
    """How plans of a world are asked for.

    Attributes:
        lead_in_s: seconds of play before the plans begin, so that bases are on their way.
        critics: settings of those that are not as usual.
    """

    lead_in_s: float = 0.0
    critics: dict[str, object] = field(default_factory=dict)


TASKS = {
    "arm": Task(),
    "drive": Task(
        4.0,
        {
            "progress": ProgressSettings(enabled=True, speed=CRUISE),
            "off_road": OffRoadSettings(enabled=True, weight=OFF_ROAD_COST),
        },
    ),
    "explore": Task(4.0, {"curiosity": CuriositySettings(enabled=True)}),
}


def play_scene(imaginer, world, seed: int, plans: int, lead_in_s: float = 0.0) -> dict | None:
    """One scene: scores from imagination, outcomes from the simulator; None where it asks nothing."""
    from astra_ros.camera.frame_size import to_model_size

    card = imaginer.model.card
    world.reset(seed)
    if lead_in_s:
        world.play(np.random.default_rng([seed, 8]), lead_in_s)
    frames = [world.render()]
    for _ in range(max(card.history - 1, round(lead_in_s / card.dt_s))):
        world.step(card.dt_s)
        frames.append(world.render())
    if world.labels()["obstacle_contact"]:
        return None
    history = np.stack([to_model_size(frame, card.image_size) for frame in frames[-card.history :]])
    goal = world.goal_image()
    if goal is not None:
        goal = to_model_size(goal, card.image_size)
    now = dict(zip(world.embodiment.motion_names, world.motion()))
    candidates = world.propose(plans, seed)
    start = world.snapshot()
    body = world.embodiment
    hold = action_space_class(body.modality).rest(body.motion_names, now, PLAN_S, "hold")
    truth = []
    for plan in [*(plan for _, plan in candidates), hold]:
        world.restore(start)
        truth.append(execute(world, plan, imaginer.settings.horizon, card.dt_s, render=False).verdict)
    *truth, still = truth
    if np.ptp([verdict.outcome for verdict in truth]) < ALIKE:
        return None
    result = imaginer.score(history, [plan for _, plan in candidates], now, goal, seed=seed)
    if result.prepared.refused:  # the scores would be of other plans than the outcomes
        raise RuntimeError(f"seed {seed}: {next(iter(result.prepared.refused.values()))}")
    scores = result.scores
    return {
        "seed": seed,
        "kinds": [kind for kind, _ in candidates],
        "scores": [score.score for score in scores],
        # Vetoed plans come last, in the order of their scores.
        "order": [-score.rank for score in scores],
        "verdicts": [score.verdict for score in scores],
        "raw": {name: [score.critics[name][0] for score in scores] for name in scores[0].critics},
        "chosen": result.best,
        "parts": {name: [verdict.parts[name] for verdict in truth] for name in truth[0].parts},
        "collision": [verdict.collision for verdict in truth],
        "outcomes": [verdict.outcome for verdict in truth],
        "still": still.outcome,
        "still_collision": still.collision,
    }


def summarise(scenes: list[dict]) -> dict:
    """The figures of the table, over scenes."""
    outcomes = [np.array(scene["outcomes"]) for scene in scenes]
    chosen = np.array(
        [
            scene["still"] if scene["chosen"] is None else outcome[scene["chosen"]]
            for scene, outcome in zip(scenes, outcomes)
        ]
    )
    hit = [
        scene["still_collision"] if scene["chosen"] is None else scene["collision"][scene["chosen"]] for scene in scenes
    ]
    rho = np.array([spearman(scene["order"], outcome) for scene, outcome in zip(scenes, outcomes)])
    tau = np.array([kendall(np.array(scene["order"]), outcome) for scene, outcome in zip(scenes, outcomes)])
    best = np.array([outcome.max() for outcome in outcomes])
    worst = np.array([outcome.min() for outcome in outcomes])
    choices = {"score": chosen, "random": np.array([outcome.mean() for outcome in outcomes]), "oracle": best}
    collisions = {
        "score": float(np.mean(hit)),
        "random": float(np.mean([np.mean(scene["collision"]) for scene in scenes])),
        "oracle": float(
            np.mean([scene["collision"][int(np.argmax(outcome))] for scene, outcome in zip(scenes, outcomes)])
        ),
    }
    verdicts = np.concatenate([scene["verdicts"] for scene in scenes])
    # Where none was chosen, all are vetoed, and the robot stands still.
    chosen_verdicts = [VETOED if scene["chosen"] is None else scene["verdicts"][scene["chosen"]] for scene in scenes]
    outcome_of_all = np.concatenate(outcomes)
    vetoed = verdicts == VETOED
    collided = np.concatenate([np.array(scene["collision"], bool) for scene in scenes])
    return {
        "scenes": len(scenes),
        # Vetoes against what then happened: colliding plans that were vetoed, and others that were.
        "vetoed_of_colliding": float(vetoed[collided].mean()) if collided.any() else None,
        "vetoed_of_harmless": float(vetoed[~collided].mean()) if (~collided).any() else None,
        "spearman": float(rho.mean()),
        "spearman_95": interval(rho),
        "kendall": float(tau.mean()),
        "mmrv": float(
            np.mean(
                [mean_rank_violation(np.array(scene["order"]), outcome) for scene, outcome in zip(scenes, outcomes)]
            )
        ),
        # How much of the range between a scene's best and worst plan the choice gives away.
        "top1_regret": float(np.mean(np.clip((best - chosen) / (best - worst), 0, 1))),
        "none_accepted": float(np.mean([scene["chosen"] is None for scene in scenes])),
        "outcome": {name: float(values.mean()) for name, values in choices.items()},
        "outcome_95": {name: interval(values) for name, values in choices.items()},
        "collisions": collisions,
        # What became of the plans that got a verdict, and of those among them that were chosen.
        "verdicts": by_verdict(verdicts, outcome_of_all, collided),
        "chosen_verdicts": by_verdict(np.array(chosen_verdicts), chosen, np.array(hit)),
    }


def by_verdict(verdicts: np.ndarray, outcomes: np.ndarray, collided: np.ndarray) -> dict[str, dict]:
    """Verdict -> its share of plans [N], their mean outcome, and how many of them collide."""
    return {
        name: {
            "share": float((verdicts == name).mean()),
            "outcome": float(outcomes[verdicts == name].mean()),
            "collisions": float(collided[verdicts == name].mean()),
        }
        for name in VERDICTS
        if (verdicts == name).any()
    }


def table(robot: str, figures: dict) -> str:
    lines = [
        f"{robot}: {figures['scenes']} scenes, Spearman {figures['spearman']:.3f} "
        f"[{figures['spearman_95'][0]:.3f}, {figures['spearman_95'][1]:.3f}], "
        f"Kendall {figures['kendall']:.3f}, top-1 regret {figures['top1_regret']:.1%}",
        f"  {'chosen by':10} {'mean outcome':>13} {'95 % interval':>18} {'collisions':>11}",
    ]
    for name, value in figures["outcome"].items():
        low, high = figures["outcome_95"][name]
        lines.append(f"  {name:10} {value:13.3f} {f'[{low:.3f}, {high:.3f}]':>18} {figures['collisions'][name]:11.1%}")
    for name, of_all in figures["verdicts"].items():
        lines.append(
            f"  {name + ':':10} {of_all['share']:.0%} of all plans, mean outcome "
            f"{of_all['outcome']:.2f}, {of_all['collisions']:.0%} of them collide"
        )
    for name, of_chosen in figures["chosen_verdicts"].items():
        what = "none chosen" if name == VETOED else f"{name} chosen"
        lines.append(
            f"  {what + ':':16} in {of_chosen['share']:.0%} of the scenes, mean outcome "
            f"{of_chosen['outcome']:.2f}, {of_chosen['collisions']:.0%} collide"
        )
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = __doc__
    parser.formatter_class = HelpFormat
    parser.epilog = "example:\n  astra rank --model tiny --scenes 100 --out docs/results/astra-tiny/ranking.json\n"
    parser.add_argument("--model", default=DEFAULT_MODEL, help="shipped name or directory")
    parser.add_argument("--backend", default="torch", help="what runs the model: torch")
    parser.add_argument("--device", default="cpu", help="where it runs: cpu, cuda, cuda:0")
    robots = [robot for world in WORLDS.values() for robot in world.robots]
    parser.add_argument(
        "--robots", nargs="+", default=None, choices=robots, help="simulated robots (default: all that the model knows)"
    )
    parser.add_argument("--scenes", type=at_least(1), default=100, help="scenes of each robot")
    parser.add_argument("--plans", type=at_least(2), default=8, help="candidates a scene")
    parser.add_argument("--first-seed", type=int, default=FIRST_SCENE, help="the first scene's seed")
    parser.add_argument("--out", type=Path, default=None, help="result file (JSON)")
    parser.add_argument("--raw", type=Path, default=None, help="every scene, for a closer look")


def run(args: argparse.Namespace) -> int:
    from astra_ros.inference import load_backend
    from astra_ros.ranking.imaginer import Imaginer, ImaginerSettings

    check_writable(args.out, args.raw)
    model = load_backend(args.backend, args.model, args.device)
    imaginer = Imaginer(model)
    card = model.card
    everything, figures = {}, {}
    for name, robot, modality in known_robots(args.robots, card):
        task = TASKS.get(name, Task())
        imaginer.plan_renders.describe(simulated_urdf(robot))
        imaginer.configure(
            ImaginerSettings(math.ceil(PLAN_S / card.dt_s - 1e-9), action_space=f"{robot}_{modality}"), task.critics
        )
        world = make_world(name, robot, FINER * card.image_size[0])
        try:
            scenes, seed = [], args.first_seed
            with tqdm(total=args.scenes, unit="scene", desc=f"rank {robot}") as bar:
                while len(scenes) < args.scenes:
                    scene = play_scene(imaginer, world, seed, args.plans, task.lead_in_s)
                    seed += 1
                    if scene is not None:
                        scenes.append(scene)
                        bar.update()
        finally:
            world.close()
        everything[robot], figures[robot] = (
            scenes,
            {"world": name, "left_out": seed - args.first_seed - args.scenes, **summarise(scenes)},
        )
        print(table(robot, figures[robot]))
    if args.out:
        write_result(
            args.out,
            {
                "model": card.name,
                "sha256": card.sha256[:12],
                "plans": args.plans,
                "overall": overall(figures),
                "robots": figures,
            },
        )
    if args.raw:
        write_json(args.raw, everything, indent=None)
    return 0


def known_robots(asked: list[str] | None, card) -> list[tuple[str, str, str]]:
    """(world, robot, modality) of the robots that were asked for, or of all that the model knows.

    Raises ModelError where the model does not know one, or none at all.
    """
    from astra_ros.inference import ModelError

    robots = [(world, robot, modality) for world, spec in WORLDS.items() for robot, modality in spec.robots.items()]
    spaces = sorted(card.action_spaces)
    if asked is None:
        found = [each for each in robots if f"{each[1]}_{each[2]}" in card.action_spaces]
        if not found:
            raise ModelError(f"model '{card.name}': knows {spaces}, none of them a simulated robot's")
        return found
    found = [each for each in robots if each[1] in asked]
    for _, robot, modality in found:
        card.check_knows(f"{robot}_{modality}")
    return found


def overall(figures: dict[str, dict]) -> dict:
    """The project's figures: means over worlds, each the mean of its robots."""
    worlds: dict[str, list[dict]] = {}
    for each in figures.values():
        worlds.setdefault(each["world"], []).append(each)

    def mean(name: str) -> float:
        return float(np.mean([np.mean([each[name] for each in robots]) for robots in worlds.values()]))

    return {"worlds": sorted(worlds), "spearman": mean("spearman"), "top1_regret": mean("top1_regret")}
