"""World models behind one small protocol: numpy in, numpy out, whatever runs them."""

from astra_ros.inference.base import BACKENDS, DEFAULT_MODEL, ModelCard, ModelError, WorldModel, load_backend
from astra_ros.inference.conditioning import Conditioning

__all__ = ["BACKENDS", "Conditioning", "DEFAULT_MODEL", "ModelCard", "ModelError", "WorldModel", "load_backend"]
