"""The engine that is fastest on this machine, by measurement when a model is loaded."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

from astra_ros.inference.card import ModelCard, ModelError
from astra_ros.inference.conditioning import Conditioning
from astra_ros.inference.imagination import Imagination
from astra_ros.inference.world_model import WorldModel

LOG = logging.getLogger(__name__)
AUTO = "auto"
# Engines that are tried -> what must be installed for them. The first that loads is what the others are compared with.
CANDIDATES = {"torch": "torch", "onnx": "onnxruntime", "openvino": "openvino"}
CPU_ONLY = ("openvino",)
PLANS, FRAMES = 8, 4  # of the request that is measured; a whole chunk of networks that make more at once
ROUNDS = 7
MEASURE_S = 10.0  # no round is begun after this
# Between the latents of two engines; what differs by more computes something else. It holds on GPUs too: all of these
# engines compute in float32 there, without TF32.
LARGEST_DIFFERENCE = 1e-3


def fastest(load: Callable[[str], WorldModel], device: str) -> WorldModel:
    """The model as loaded by the fastest of the engines that are installed.

    They take turns, so that what else the machine does meets all of them. Raises ModelError, with all reasons, where
    none can be used.
    """
    models, failures = _loaded(load, device)
    if not models:
        cure = "install one of them in a checkout with: pip install '.[torch]' (or onnx, openvino)"
        raise ModelError("no engine can run the model: " + "; ".join(failures), thing=f"backend '{AUTO}'", cure=cure)
    took_s = _times(models)
    if not took_s:
        raise ModelError("no engine can run the model", thing=f"backend '{AUTO}'", cure="read the log, name a backend")
    best = min(took_s, key=took_s.__getitem__)
    each = ", ".join(f"{name} {1e3 * seconds:.0f} ms" for name, seconds in took_s.items())
    LOG.info(f"backend auto: measured {each} for a request of {PLANS} plans; takes {best}, the fastest")
    return models[best]


def _loaded(load: Callable[[str], WorldModel], device: str) -> tuple[dict[str, WorldModel], list[str]]:
    models, failures = {}, []
    for name, package in CANDIDATES.items():
        if find_spec(package) is None:
            LOG.info(f"backend auto: {name} is not installed")
        elif name in CPU_ONLY and device != "cpu":
            LOG.info(f"backend auto: {name} does not run on '{device}'")
        else:
            try:
                models[name] = load(name)
            except Exception as error:  # noqa: BLE001 - a broken package raises anything; another may do
                failures.append(f"{name}: {error}")
                LOG.warning(f"backend auto: {name} cannot be used: {error}")
    return models, failures


def _times(models: dict[str, WorldModel]) -> dict[str, float]:
    """Seconds of a request, the median of each engine that gives what the first one gives."""
    card = next(iter(models.values())).card
    took_s: dict[str, list[float]] = {}
    made: dict[str, Imagination] = {}
    for name, model in models.items():
        try:
            made[name] = _imagine(model, card)  # also the warm-up
        except Exception as error:  # noqa: BLE001
            LOG.warning(f"backend auto: {name} cannot be used: {error}")
            continue
        reference, latents = next(iter(made.items()))
        difference = float(np.abs(made[name].latents - made[reference].latents).max())
        if not difference <= LARGEST_DIFFERENCE:  # also where it is NaN
            text = f"its latents differ from those of {reference} by {difference:.2g}"
            LOG.warning(f"backend auto: {name} is not used: {text}")
            continue
        took_s[name] = []
    began = time.perf_counter()
    for number in range(ROUNDS):
        if number and time.perf_counter() - began > MEASURE_S:
            break
        for name, seconds in took_s.items():
            start = time.perf_counter()
            _imagine(models[name], card)
            seconds.append(time.perf_counter() - start)
    return {name: float(np.median(seconds)) for name, seconds in took_s.items()}


def _imagine(model: WorldModel, card: ModelCard) -> Imagination:
    name, space = next(iter(card.action_spaces.items()))
    actions = np.zeros((PLANS, max(FRAMES, card.network.chunk), space.dim))
    history = np.zeros((card.history, *card.image_size, 3), np.uint8)
    return model.imagine(history, Conditioning(name, actions))
