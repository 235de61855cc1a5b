"""The Astra network and how it imagines. torch only: no ROS, no simulator, no files but weights.

Shape suffixes used throughout (after Noam Shazeer's convention):
B requests (each with its own observed history), N frames predicted side by side for one request
(the K candidate plans when imagining, the target frames of a clip when training), T history
frames, H imagined frames, A action numbers, L tokens of one frame, M memory tokens, D width,
C latent channels, h and w rows and columns of a latent or an image.
"""

from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import PRESETS, AstraConfig, preset
from astra_ros.world_model.imagine import (
    DenoisingAutoregressiveStep,
    ImaginedLatents,
    conditional_video_generation,
    imagine_latents,
    multi_step_prediction,
)
from astra_ros.world_model.reprojection import Lens, last_seen, reproject, reprojected_latents
from astra_ros.world_model.resize import resized

__all__ = [
    "Astra",
    "AstraConfig",
    "DenoisingAutoregressiveStep",
    "ImaginedLatents",
    "Lens",
    "PRESETS",
    "conditional_video_generation",
    "imagine_latents",
    "last_seen",
    "multi_step_prediction",
    "preset",
    "reproject",
    "resized",
    "reprojected_latents",
]
