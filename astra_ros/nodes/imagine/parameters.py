"""The settings of the imagine node as ROS parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rclpy.node import Node

from astra_ros.bridge.plan_adapters import PlanAdapter, plan_adapter
from astra_ros.control.vehicle_settings import VehicleSettings
from astra_ros.critics import DEFAULT_CRITICS, load_critic
from astra_ros.critics.registry import ON_REQUEST
from astra_ros.critics.scoring import ScoringSettings
from astra_ros.errors import UserError
from astra_ros.nodes.imagine.settings import ImagineSettings, NodeSettings, PlanTopicSettings
from astra_ros.nodes.parameters import SettingsParameters
from astra_ros.texts import short

AT_START = ("model", "backend", "device", "image_transport", "critics", "plan_sources", "tool_link")
SOURCE_AT_START = ("topic", "type", "keep", "max_age_s", "backup")


def declared_settings() -> dict[str, object]:
    """Namespace -> the settings that the node declares, also those of critics that must be asked for."""
    own = ImagineSettings()
    namespaces: dict[str, object] = {"": own, "scoring": ScoringSettings(), "vehicle": VehicleSettings()}
    namespaces |= {name: load_critic(name).settings_class() for name in (*own.critics, *ON_REQUEST)}
    return namespaces | {name: PlanTopicSettings() for name in own.plan_sources}


class ImagineParameters:
    """The parameters of the node: own ones, one namespace per critic and per plan source.

    Attributes:
        adapters: plan source name -> the adapter of its message type.
        relative_topics: plan source name -> its topic as users remap it.
        unusable_critics: why critics that the parameter ``critics`` names cannot be loaded, or ''.

    Raises ValueError for a given value that cannot be used.
    """

    def __init__(self, node: Node, on_change: Callable[[], None] = lambda: None) -> None:
        self._node, self._on_change = node, on_change
        self._parameters = SettingsParameters(node)
        self._parameters.on_change = self._take
        own = self._parameters.declare("", ImagineSettings(), read_only=AT_START)
        self._parameters.declare("scoring", ScoringSettings())
        self._parameters.declare("vehicle", VehicleSettings())
        self._critics, faults = [], []
        for name in own.critics:
            try:
                self._parameters.declare(name, load_critic(name).settings_class())
                self._critics.append(name)
            except (UserError, TypeError) as error:  # TypeError: a default that a ROS parameter cannot hold
                faults.append(str(error))
        self.unusable_critics = f"parameter critics: {'; '.join(faults)}" if faults else ""
        self.adapters: dict[str, PlanAdapter] = {}
        self.relative_topics: dict[str, str] = {}
        for name in own.plan_sources:
            source = self._parameters.declare(name, PlanTopicSettings(), read_only=SOURCE_AT_START)
            self.relative_topics[name] = source.topic
            try:
                self.adapters[name] = plan_adapter(source.type)
            except UserError as error:
                raise ValueError(f"{name}.type is '{short(source.type)}': {error}") from error
        self._parameters.warn_of_unknown(set(DEFAULT_CRITICS) - set(own.critics))

        self._now = self._collected()

    def __call__(self) -> NodeSettings:
        """The settings of this moment."""
        return self._now

    def _take(self) -> None:
        self._now = self._collected()
        self._on_change()

    def _collected(self) -> NodeSettings:
        own: ImagineSettings = self._parameters[""]
        return NodeSettings(
            own,
            self._parameters["scoring"],
            self._parameters["vehicle"],
            {name: self._parameters[name] for name in self._critics},
            {name: self._resolved(self._parameters[name]) for name in own.plan_sources},
        )

    def _resolved(self, source: PlanTopicSettings) -> PlanTopicSettings:
        return replace(source, topic=self._node.resolve_topic_name(source.topic))
