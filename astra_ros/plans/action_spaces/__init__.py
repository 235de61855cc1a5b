"""Kinds of action that a world model can be conditioned on: one module each, named as the kind.

A new kind is one new file here with a subclass of `ActionSpace` in it; it needs no entry anywhere
else. The model gives every kind an expert of its own (`world_model/action_encoder.py`).
"""

import importlib
import pkgutil

from astra_ros.plans.action_spaces.base import MODALITIES, ActionSpace, action_space_class, action_space_from_dict

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["MODALITIES", "ActionSpace", "action_space_class", "action_space_from_dict"]
