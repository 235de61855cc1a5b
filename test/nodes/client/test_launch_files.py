"""What ros2 launch finds in the launch files; its packages are no wheels, and most tests are skipped without them."""

import ast
import importlib.util
from pathlib import Path

import pytest

from astra_ros.nodes.client.explore_specs import EXPLORE_ARGUMENTS
from astra_ros.nodes.client.node_specs import ARGUMENTS

LAUNCH = Path(__file__).resolve().parents[3] / "launch"
HELPER = "astra_ros.nodes.client.launch_files"


@pytest.mark.parametrize("path", sorted(LAUNCH.glob("*.launch.py")), ids=lambda path: path.name)
def test_launch_files_import_names_that_are_there(path):
    imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    assert HELPER in {node.module for node in imports}
    for node in [node for node in imports if node.module != HELPER]:
        module = importlib.import_module(node.module)
        assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


def entities(name, **arguments):
    """The declared arguments of a launch file, and what it starts."""
    pytest.importorskip("launch_ros")
    from launch import LaunchContext
    from launch.actions import DeclareLaunchArgument, OpaqueFunction

    spec = importlib.util.spec_from_file_location("launched", LAUNCH / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = module.generate_launch_description().entities
    declared = [each for each in found if isinstance(each, DeclareLaunchArgument)]
    context = LaunchContext()
    context.launch_configurations.update(arguments)
    for each in declared:
        each.visit(context)
    (start,) = [each for each in found if isinstance(each, OpaqueFunction)]
    return [each.name for each in declared], [each.node_executable for each in start.visit(context)]


@pytest.mark.parametrize(
    ("name", "table", "arguments", "started"),
    [
        ("imagine.launch.py", ARGUMENTS, {}, ["simulator", "imagine", "plan_source"]),
        ("imagine.launch.py", ARGUMENTS, {"sim": "false", "namespace": "left"}, ["imagine"]),
        ("explore.launch.py", EXPLORE_ARGUMENTS, {}, ["simulator", "explorer"]),
        ("explore.launch.py", EXPLORE_ARGUMENTS, {"sim": "false"}, ["explorer"]),
    ],
)
def test_a_launch_file_declares_its_table_and_starts_its_nodes(name, table, arguments, started):
    assert entities(name, **arguments) == (list(table), started)


def test_a_params_file_that_is_not_there_stops_the_launch(tmp_path):
    with pytest.raises(RuntimeError):
        entities("imagine.launch.py", params_file=str(tmp_path / "none.yaml"))
