"""The network of a model, for tests that look into it, and a configuration that is made in no time."""

from dataclasses import replace

from astra_ros.inference import ModelCard
from astra_ros.inference.card import model_directory
from astra_ros.inference.torch_engine import load_network
from astra_ros.world_model.config import preset

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


def network_of(model):
    """`model` is a directory, or the name of a shipped one."""
    return load_network(ModelCard.read(model_directory(model)))
