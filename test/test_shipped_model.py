"""The models that ship, on scenes they have not seen: a floor under their quality, not a measurement."""

import json
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np
import pytest

pytest.importorskip("pybullet")
pytest.importorskip("torch")

from astra_ros.datasets.dataset import HELD_OUT_FROM
from astra_ros.datasets.record import FINER, record_episode
from astra_ros.datasets.robot_renders import Drawer, simulated_urdf
from astra_ros.evaluation.figures import imagine_clips
from astra_ros.evaluation.held_out import HeldOutClips
from astra_ros.evaluation.metrics import psnr
from astra_ros.evaluation.scene_start import begin_scene
from astra_ros.evaluation.style_figures import imagine_styled
from astra_ros.inference import DEFAULT_MODEL, load_world_model
from astra_ros.inference.card import shipped_models
from astra_ros.outcomes import OBJECT_POSITION
from astra_ros.ranking.imaginer import Imaginer, RankingSettings
from astra_ros.resources import resource_path
from astra_ros.simulation.rollout import execute
from astra_ros.simulation.worlds import WORLDS, default_worlds, make_world

HORIZON = 16
# Frames to look at: after 1 s and after 2 s. An arm's plans end where they began, after 4 s, and in
# a handful of clips copying the last frame is then hard to beat by chance alone.
MOMENTS = [3, 7]
# What a picture of another style of the scene must be worth, dB, in the next frame, and what more than its colours
# alone; a mean over cards' clips is twice that and more.
STYLE_MATTERS, MORE_THAN_COLOURS = 1.0, 0.1
# What the plan itself must be worth, dB. A camera's moves are much alike from clip to clip (ahead, and
# a turn), so another clip's motion is not as wrong as for an arm.
PLAN_MATTERS = {"arm": 2.0, "drive": 1.0, "explore": 1.0}


MODELS = shipped_models()
SIMULATED = [(world, robot) for world in default_worlds() for robot in WORLDS[world].robots]
OF_ARMS = "arms"  # the model that was trained on for arms alone
KNOWN = [(name, *pair) for name in MODELS for pair in SIMULATED if name != OF_ARMS or pair[0] == "arm"]
load = lru_cache(partial(load_world_model, "torch"))


def test_the_default_model_ships():
    assert {DEFAULT_MODEL, OF_ARMS} <= set(MODELS)


def test_the_models_stay_small_enough_for_a_repository():
    assert sum(path.stat().st_size for path in resource_path("models").rglob("*")) < 100e6


@pytest.mark.parametrize("name", MODELS)
def test_it_knows_the_simulated_robots_and_no_others(name):
    card = json.loads(resource_path(f"models/astra-{name}/card.json").read_text())
    simulated = {f"{robot}_{WORLDS[world].robots[robot]}" for world, robot in SIMULATED}
    assert {space["name"] for space in card["action_spaces"]} == simulated


@pytest.mark.parametrize("name", [DEFAULT_MODEL, OF_ARMS])
def test_it_has_limits_for_watching_the_arms(name):
    card = json.loads(resource_path(f"models/astra-{name}/card.json").read_text())
    arms = {f"{robot}_joints" for robot in WORLDS["arm"].robots}
    for limits in (card["prediction_limits"], card["robot_fit_limits"]):
        assert set(limits) == arms and all(each["limit"] > 0 for each in limits.values())


@pytest.mark.parametrize("robot", WORLDS["pushing"].robots)
def test_it_knows_better_than_no_motion_where_planned_pushes_move_the_object(robot):
    model = load(OF_ARMS)
    imaginer = Imaginer(model, RankingSettings(HORIZON, partial_plans=True, action_space=f"{robot}_joints"))
    imaginer.plan_renders.describe(simulated_urdf(robot))
    world, off = make_world("pushing", robot, FINER * model.card.image_size[0]), []
    for seed in range(HELD_OUT_FROM + 90_000, HELD_OUT_FROM + 90_004):
        start = begin_scene(world, model.card, seed, plans=4)
        assert start is not None
        imagined = imaginer.score(start.history, start.plans, start.motion_now, seed=seed).imagination
        here = world.snapshot()
        for plan, place in zip(start.plans, imagined.outcomes[OBJECT_POSITION][:, -1]):
            world.restore(here)
            states = execute(world, plan, HORIZON, model.card.dt_s, render=False).states
            off.append(
                [np.linalg.norm((states[-1].object_position - at)[:2]) for at in (place, states[0].object_position)]
            )
    world.close()
    imagined_m, still_m = np.mean(off, axis=0)
    assert imagined_m < 0.75 * still_m, (imagined_m, still_m)


@pytest.mark.parametrize("name, world, robot", KNOWN)
def test_imagined_video_beats_copying_and_follows_the_plan(name, world, robot, tmp_path):
    model = load(name)
    size = model.card.image_size[0]
    made = make_world(world, robot, FINER * size)
    episodes = [record_episode(made, HELD_OUT_FROM + 90_000 + k, size) for k in range(3)]
    made.close()
    drawer = Drawer(tmp_path, model.card.image_size) if model.card.cameras else None
    clips = HeldOutClips(episodes, model.card, HORIZON, each=4, seed=0, drawer=drawer)
    imagined = imagine_clips(model, clips, seed=0)
    truth = clips.future.astype(np.float32) / 255
    quality = {
        row: psnr(imagined.videos[row].astype(np.float32) / 255, truth)[:, MOMENTS].mean(0)
        for row in ("model", "shuffled", "copy")
    }
    # dB
    if world == "arm":  # painted where the plan takes it: better than the same latents without its drawing
        conditions = [clips.conditioning(i).subset([0]) for i in range(len(clips))]
        bare = [
            model.pictures(model.imagine(seen, each).latents, seen[-1], replace(each, robot_renders=None), 0)
            for seen, each in zip(clips.history, conditions)
        ]
        quality["unpainted"] = psnr(np.stack(bare).astype(np.float32) / 255, truth)[:, MOMENTS].mean(0)
        assert (quality["model"] > quality["unpainted"] + 0.5).all(), quality
    assert (quality["model"] > quality["copy"] + 2.0).all(), quality
    assert (quality["model"] > quality["shuffled"] + PLAN_MATTERS[world]).all(), quality
    _takes_on_the_look_of_a_picture(model, clips)


def _takes_on_the_look_of_a_picture(model, clips):
    figures, _ = imagine_styled(model, clips, seed=0)
    told, matched, untold = (figures.psnr_db[row]["1"] for row in ("told", "matched", "untold"))
    assert told > untold + STYLE_MATTERS and told > matched + MORE_THAN_COLOURS, figures
    # And so do the pictures that are shown, with what was seen and drawn laid over them.
    i, (look, future) = next(iter(clips.styles.items()))
    conditioning = clips.conditioning(i).subset([0])
    shown = []
    for history in (model.restyle(clips.history[i], look), clips.history[i]):
        imagined = model.imagine(history, conditioning)
        shown.append(model.pictures(imagined.latents, history[-1], conditioning, 0))
    told, untold = (psnr(frames[None] / np.float32(255), future[None] / np.float32(255))[0, 0] for frames in shown)
    assert told > untold + STYLE_MATTERS, (told, untold)
