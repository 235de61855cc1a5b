"""The network of a model, for tests that look into it."""

from astra_ros.inference import ModelCard
from astra_ros.inference.card import model_directory
from astra_ros.inference.torch_engine import load_network


def network_of(model):
    """`model` is a directory, or the name of a shipped one."""
    return load_network(ModelCard.read(model_directory(model)))
