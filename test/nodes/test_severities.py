"""rclpy keeps one severity per line that logs, and raises where a second one comes (findings/)."""

import ast
from pathlib import Path

import astra_ros.nodes

SEVERITIES = {"debug", "info", "warning", "error", "fatal"}


def severities_of_lines(source: str) -> dict[int, set[str]]:
    """Line -> severities of the calls on it, also of a call that chooses one."""
    found: dict[int, set[str]] = {}
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call):
            names = {each.attr for each in ast.walk(call.func) if isinstance(each, ast.Attribute)}
            found.setdefault(call.lineno, set()).update(names & SEVERITIES)
    return found


def test_two_severities_on_a_line_are_found():
    two = "warn, tell = lambda text: log.warning(text), lambda text: log.info(text)"
    assert severities_of_lines(two)[1] == {"warning", "info"}
    assert severities_of_lines("(log.error if bad else log.info)(text)")[1] == {"error", "info"}


def test_no_line_of_the_nodes_logs_with_two_severities():
    files = sorted(Path(astra_ros.nodes.__file__).parent.rglob("*.py"))
    lines = {(path.name, line): each for path in files for line, each in severities_of_lines(path.read_text()).items()}
    assert any(lines.values())
    assert [place for place, each in lines.items() if len(each) > 1] == []
