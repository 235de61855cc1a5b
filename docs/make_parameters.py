"""Write docs/parameters.md from the settings dataclasses of the nodes, so that no parameter is described twice.

python docs/make_parameters.py           # write the page
python docs/make_parameters.py --check   # exit 1 if the page says something else
"""

import sys
from pathlib import Path

from astra_ros.control.vehicle_settings import VehicleSettings
from astra_ros.critics import load_critic
from astra_ros.critics.registry import ON_REQUEST
from astra_ros.critics.scoring import ScoringSettings
from astra_ros.nodes.explorer.settings import ExplorerSettings
from astra_ros.nodes.gate.settings import GateSettings
from astra_ros.nodes.imagine.settings import ImagineSettings, PlanTopicSettings
from astra_ros.nodes.parameter_info import ParameterInfo, parameters_of
from astra_ros.nodes.planners.arm_planner import ArmPlannerSettings
from astra_ros.nodes.planners.drive_planner import DrivePlannerSettings
from astra_ros.nodes.planners.plan_source import PlanSourceSettings
from astra_ros.nodes.simulator.node import SimulatorSettings

NODES = ("imagine", "simulator", "plan_source", "arm_planner", "drive_planner", "explorer", "gate")
PAGE = Path(__file__).with_name("parameters.md")
HEAD = """# Parameters of the nodes

`docs/make_parameters.py` writes this page from the settings dataclasses. The same texts are the descriptors that
`ros2 param describe` shows; `config/astra.yaml` has the same defaults. A value outside its range is refused, with the
reason.

Each name in `plan_sources` has a group of parameters such as `candidates.*`, each name in `critics` one such as
`goal.*`. `physics.*` exist where `critics` names it.
"""


def node_parameters(node: str) -> list[ParameterInfo]:
    """All parameters of a node, one of ``NODES``, with its defaults."""
    if node == "simulator":
        return list(parameters_of(SimulatorSettings()))
    if node == "plan_source":
        return list(parameters_of(PlanSourceSettings()))
    if node == "arm_planner":
        return list(parameters_of(ArmPlannerSettings()))
    if node == "drive_planner":
        return list(parameters_of(DrivePlannerSettings()))
    if node == "explorer":
        return list(parameters_of(ExplorerSettings()))
    if node == "gate":
        return list(parameters_of(GateSettings()))
    own = ImagineSettings()
    namespaces = {"": own, "scoring": ScoringSettings(), "vehicle": VehicleSettings()}
    namespaces |= {name: load_critic(name).settings_class() for name in (*own.critics, *ON_REQUEST)}
    namespaces |= {name: PlanTopicSettings() for name in own.plan_sources}
    return [each for prefix, settings in namespaces.items() for each in parameters_of(settings, prefix)]


def shown(value: object) -> str:
    """A default as one writes it in YAML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(map(str, value)) + "]"
    return "''" if value == "" else str(value)


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for node in NODES:
        parts.append(f"\n## `{node}`\n\n| parameter | default | range | meaning |\n| --- | --- | --- | --- |\n")
        for each in node_parameters(node):
            limits = "" if each.limits is None else "{:g} to {:g}".format(*each.limits)
            off = f"; 0: {each.off}" if each.off else ""
            text = (
                each.description if "0:" in each.description or "; 0 " in each.description else each.description + off
            )
            parts.append(f"| `{each.name}` | `{shown(each.default)}` | {limits} | {text.replace('|', '/')} |\n")
    return "".join(parts)


def main() -> int:
    if "--check" in sys.argv[1:]:
        return int(PAGE.read_text() != page())
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
