"""World models behind one small protocol: numpy in, numpy out, whatever runs them."""

from astra_ros.backends.base import BACKENDS, ModelCard, ModelError, WorldModel, load_backend

__all__ = ['BACKENDS', 'ModelCard', 'ModelError', 'WorldModel', 'load_backend']
