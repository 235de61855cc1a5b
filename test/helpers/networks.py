"""Networks for tests that look into them: of a model, and random ones that are made in no time."""

from dataclasses import replace

import torch

from astra_ros.inference import ModelCard
from astra_ros.inference.card import model_directory
from astra_ros.inference.torch_engine import load_network
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import AstraConfig, preset

NARROW = replace(
    preset("tiny"),
    hidden_dim=48,
    num_heads=4,
    num_layers=1,
    context_layers=1,
    encoder_widths=(8, 8, 8),
    decoder_widths=(8, 8, 8),
    decoder_depths=(1, 1, 1),
)
# of two robots
SMALL = replace(NARROW, num_layers=2, adapter_rank=8, action_dims=(6, 4), modalities=("joints", "twist"))


def random_network(config: AstraConfig, std: float = 0.05) -> Astra:
    """The parts of a denoiser that begin at zero speak too."""
    torch.manual_seed(0)
    model = Astra(config).eval()
    for parameter in model.denoiser.parameters():
        torch.nn.init.normal_(parameter, std=std)
    return model


def random_history(config: AstraConfig) -> torch.Tensor:
    """Latents of four frames, [1, 4, C, h, w]."""
    return torch.randn(1, 4, *config.latent_shape, generator=torch.Generator().manual_seed(2))


def network_of(model):
    """`model` is a directory, or the name of a shipped one."""
    return load_network(ModelCard.read(model_directory(model)))
