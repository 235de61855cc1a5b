"""Write docs/parameters.md from the settings dataclasses of the nodes, so that no parameter is described twice.

python docs/make_parameters.py           # write the page
python docs/make_parameters.py --check   # exit 1 if the page says something else
"""

import importlib
import sys
from pathlib import Path

from astra_ros.nodes.parameter_help import meaning, shown
from astra_ros.nodes.parameter_info import ParameterInfo, parameters_of
from astra_ros.nodes.start import EXECUTABLES

NODES = tuple(EXECUTABLES)
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
    settings = importlib.import_module(EXECUTABLES[node]).declared_settings()
    return [each for prefix, own in settings.items() for each in parameters_of(own, prefix)]


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for node in NODES:
        parts.append(f"\n## `{node}`\n\n| parameter | default | range | meaning |\n| --- | --- | --- | --- |\n")
        for each in node_parameters(node):
            limits = "" if each.limits is None else "{:g} to {:g}".format(*each.limits)
            parts.append(
                f"| `{each.name}` | `{shown(each.default)}` | {limits} | {meaning(each).replace('|', '/')} |\n"
            )
    return "".join(parts)


def main() -> int:
    if "--check" in sys.argv[1:]:
        return int(PAGE.read_text() != page())
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
