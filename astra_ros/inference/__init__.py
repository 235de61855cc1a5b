"""World models: numpy in, numpy out, whatever engine runs them."""

from astra_ros.inference.card import ARMS_MODEL, DEFAULT_MODEL, ModelCard, ModelError
from astra_ros.inference.conditioning import Conditioning
from astra_ros.inference.engine import ENGINES, Engine
from astra_ros.inference.imagination import Imagination
from astra_ros.inference.loading import BACKEND_TEXT, load_world_model, read_card
from astra_ros.inference.world_model import WorldModel

__all__ = [
    "ARMS_MODEL",
    "BACKEND_TEXT",
    "DEFAULT_MODEL",
    "ENGINES",
    "Conditioning",
    "Engine",
    "Imagination",
    "ModelCard",
    "ModelError",
    "WorldModel",
    "load_world_model",
    "read_card",
]
