"""The action spaces of this package: one file a modality, named as the modality, loaded when it is first used.

A new modality is one file here with a subclass of `ActionSpace`, or one in another package that the entry point
group ``astra_ros.action_spaces`` names: ``winch = my_package.winch:WinchSpace``.
"""

from astra_ros.plans.action_space import ACTION_SPACES, ActionSpace, action_space_class, action_space_from_dict

__all__ = ["ACTION_SPACES", "ActionSpace", "action_space_class", "action_space_from_dict"]
