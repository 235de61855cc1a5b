"""The parameters that each node declares, for its ``--help`` and for docs/parameters.md."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from astra_ros.nodes.parameter_info import ParameterInfo, parameters_of


def node_parameters(node: str) -> list[ParameterInfo]:
    """All parameters of a node, named as its executable, with its defaults. A node's extras must be installed."""
    return [each for prefix, settings in _settings_of(node).items() for each in parameters_of(settings, prefix)]


def _settings_of(node: str) -> dict[str, object]:
    """Namespace -> default settings. What other nodes need is not imported."""
    if node == "simulator":
        from astra_ros.nodes.simulator.node import SimulatorSettings

        return {"": SimulatorSettings()}
    if node == "plan_source":
        from astra_ros.nodes.planners.plan_source import PlanSourceSettings

        return {"": PlanSourceSettings()}
    if node == "arm_planner":
        from astra_ros.nodes.planners.arm_planner import ArmPlannerSettings

        return {"": ArmPlannerSettings()}
    if node == "drive_planner":
        from astra_ros.nodes.planners.drive_planner import DrivePlannerSettings

        return {"": DrivePlannerSettings()}
    if node == "explorer":
        from astra_ros.nodes.explorer.settings import ExplorerSettings

        return {"": ExplorerSettings()}
    if node == "gate":
        from astra_ros.nodes.gate.settings import GateSettings

        return {"": GateSettings()}
    if node != "imagine":
        raise ValueError(f"there is no node '{node}'")
    from astra_ros.control.vehicle_settings import VehicleSettings
    from astra_ros.critics import load_critic
    from astra_ros.critics.registry import ON_REQUEST
    from astra_ros.critics.scoring import ScoringSettings
    from astra_ros.nodes.imagine.settings import ImagineSettings, PlanTopicSettings

    own = ImagineSettings()
    namespaces: dict[str, object] = {"": own, "scoring": ScoringSettings(), "vehicle": VehicleSettings()}
    namespaces |= {name: load_critic(name).settings_class() for name in (*own.critics, *ON_REQUEST)}
    return namespaces | {name: PlanTopicSettings() for name in own.plan_sources}


def shown(value: object) -> str:
    """A default as one writes it in YAML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(map(str, value)) + "]"
    return "''" if value == "" else str(value)


def meaning(info: ParameterInfo) -> str:
    """What a parameter is for, and what 0 means where that is special."""
    told = "0:" in info.description or "; 0 " in info.description
    return f"{info.description}; 0: {info.off}" if info.off and not told else info.description


def help_text(node: str, width: int = 100) -> str:
    """A node's parameters as lines of text: name, default and range, and below that the meaning."""
    return "\n".join(line for info in node_parameters(node) for line in _help_lines(info, width))


def _help_lines(info: ParameterInfo, width: int) -> Iterator[str]:
    limits = "" if info.limits is None else "  ({:g} to {:g})".format(*info.limits)
    yield f"  {info.name}: {shown(info.default)}{limits}"
    yield from textwrap.wrap(meaning(info), width, initial_indent=" " * 6, subsequent_indent=" " * 6)
