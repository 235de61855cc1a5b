"""The model that ships, on scenes it has not seen: a floor under its quality, not a measurement."""

import numpy as np
import pytest

pytest.importorskip("pybullet")
pytest.importorskip("torch")

from astra_ros.backends import load_backend  # noqa: E402
from astra_ros.learning.dataset import HELD_OUT_FROM  # noqa: E402
from astra_ros.learning.evaluate import Clips, psnr  # noqa: E402
from astra_ros.learning.record import record_episode  # noqa: E402
from astra_ros.simulation.arm_world import ArmWorld, ArmWorldSettings  # noqa: E402

HORIZON = 16
# Frames to look at: after 1 s and after 2 s. Plans end where they began, after 4 s, and in a handful
# of clips copying the last frame is then hard to beat by chance alone.
MOMENTS = [3, 7]


@pytest.fixture(scope="module")
def model():
    return load_backend("torch", "tiny", "cpu")


@pytest.mark.parametrize("robot", ["panda", "kuka"])
def test_imagined_video_beats_copying_and_follows_the_plan(model, robot):
    with ArmWorld(ArmWorldSettings(robot=robot)) as world:
        episodes = [record_episode(world, HELD_OUT_FROM + 90_000 + k) for k in range(3)]
    clips = Clips(episodes, model.card, HORIZON, each=4, seed=0)
    other = np.roll(clips.commanded, 4, axis=0)
    wrong = clips.space.encode(other - other[:, :1] + clips.commanded[:, :1])

    def quality(latents, truth):
        return psnr(model.decode(latents).astype(np.float32) / 255, truth)[MOMENTS]

    made, misled, copied = [], [], []
    for history, future, actions in zip(
        clips.history, clips.future.astype(np.float32) / 255, zip(clips.actions, wrong)
    ):
        imagined = model.imagine(history, np.stack(actions), clips.space.name)
        made.append(quality(imagined.latents[0], future))
        misled.append(quality(imagined.latents[1], future))
        still = np.repeat(history[-1:], HORIZON, 0).astype(np.float32) / 255
        copied.append(psnr(still, future)[MOMENTS])
    made, misled, copied = (np.mean(each, axis=0) for each in (made, misled, copied))
    # dB
    assert (made > copied + 2.0).all(), (made, copied)
    assert (made > misled + 2.0).all(), (made, misled)
