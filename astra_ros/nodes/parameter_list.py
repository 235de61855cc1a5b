"""All parameters of each node, for docs."""

from __future__ import annotations

from astra_ros.critics import load_critic
from astra_ros.critics.scoring import ScoringSettings
from astra_ros.nodes.imagine.settings import ImagineSettings, PlanTopicSettings
from astra_ros.nodes.parameter_info import ParameterInfo, parameters_of
from astra_ros.nodes.planners.plan_source import PlanSourceSettings
from astra_ros.nodes.simulator.node import SimulatorSettings

NODES = ("imagine", "simulator", "plan_source")


def node_parameters(node: str) -> list[ParameterInfo]:
    """All parameters of a node, one of ``NODES``, with its defaults."""
    if node == "simulator":
        return list(parameters_of(SimulatorSettings()))
    if node == "plan_source":
        return list(parameters_of(PlanSourceSettings()))
    own = ImagineSettings()
    namespaces = {"": own, "scoring": ScoringSettings()}
    namespaces |= {name: load_critic(name).settings_class() for name in own.critics}
    namespaces |= {name: PlanTopicSettings() for name in own.plan_sources}
    return [each for prefix, settings in namespaces.items() for each in parameters_of(settings, prefix)]
