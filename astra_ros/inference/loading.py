"""Loads a world model: reads its card, and finds the engine that runs it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from astra_ros.inference.card import ModelCard, ModelError, model_directory
from astra_ros.inference.engine import ENGINES
from astra_ros.inference.fastest import AUTO, CANDIDATES, fastest
from astra_ros.inference.world_model import WorldModel
from astra_ros.registry import LoadError, UnknownName

# How every `backend` setting is explained.
BACKEND_TEXT = f"what runs the model: {', '.join(ENGINES)}, or {AUTO}, the fastest of {', '.join(CANDIDATES)} here"
EXTRAS = {"openvino-bf16": "openvino", "tensorrt": "onnx-gpu"}  # where it is not the backend's name


def read_card(model: str | Path) -> ModelCard:
    """The card of a model, by its directory or the name of a shipped one; its weights are as the card says.

    Raises ModelError.
    """
    return ModelCard.read(model_directory(model))


def load_world_model(backend: str, model: str | Path | ModelCard, device: str = "cpu") -> WorldModel:
    """Load `model`, to be run by the engine `backend` on `device` ('cpu', 'cuda', 'cuda:1').

    'auto' takes the engine that is fastest here. Raises ModelError for an unknown backend or device, or a model that
    does not load.
    """
    if backend != AUTO and backend not in ENGINES:
        raise ModelError(f"unknown backend '{backend}'", cure=f"known are {sorted([AUTO, *ENGINES])}")
    card = model if isinstance(model, ModelCard) else read_card(model)
    load = partial(_load, card, device)
    return fastest(load, device) if backend == AUTO else load(backend)


def _load(card: ModelCard, device: str, backend: str) -> WorldModel:
    try:
        engine = ENGINES[backend]
    except ImportError as error:
        problem = f"needs a package that is not installed ({error})"
        cure = f"install it in a checkout with: pip install '.[{EXTRAS.get(backend, backend)}]'"
        raise ModelError(problem, thing=f"backend '{backend}'", cure=cure) from error
    except (LoadError, UnknownName) as error:
        raise ModelError(error.problem, thing=error.thing, cure=error.cure) from error
    return WorldModel(engine(card, device), card, backend)
