"""A network that imagines all frames of a chunk in one pass, from one that imagines frame by frame."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import AstraConfig
from astra_ros.world_model.layers import ConditionedBlock, start_at_zero

STRIDES = (1, 4, 8)  # every frame, and coarse views of a plan


def one_pass_config(config: AstraConfig, frames: int) -> AstraConfig:
    """The same network for chunks of `frames` frames in one pass, of every frame or at a stride.

    One that is such a network keeps its noise.

    Raises ValueError for a network that predicts noise: a pass that starts from zeros contains no noise.
    """
    if config.time_attention:
        return replace(config, chunk=frames, strides=STRIDES)
    if config.process != "flow":
        raise ValueError(f"process '{config.process}': expected 'flow'")
    return replace(config, time_attention=True, chunk=frames, initial_noise=0.0, history_noise=0.0, strides=STRIDES)


def one_pass(model: Astra, frames: int) -> Astra:
    """A network for chunks of `frames` frames in one pass, with the weights of `model`; train it further.

    Only the time attention may be new. Its output layer then starts at zero, so the network computes what `model`
    does for the same inputs. Random weights behind the open gate would disturb features that later layers know. With
    a closed gate instead, the attention's weights would have no gradient at first.
    """
    made = Astra(one_pass_config(model.config, frames))
    _, unexpected = made.load_state_dict(model.state_dict(), strict=False)
    assert not unexpected
    if not model.config.time_attention:
        for block in cast("list[ConditionedBlock]", made.denoiser.blocks):
            assert block.time_attention is not None
            start_at_zero(block.time_attention.out)
    return made.train(model.training)
