"""Things by name: loaded when they are first used, from here, from a test or from another package's entry points."""

import sys

import pytest

from astra_ros.errors import UserError
from astra_ros.registry import LoadError, Registry, UnknownName


def make(**own):
    return Registry("shape", "astra_ros.test_shapes", own)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package beside this one that names two things, one of which cannot be imported."""
    (tmp_path / "round_things.py").write_text("CIRCLE = 3.14\n")
    info = tmp_path / "round_things-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: round-things\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[astra_ros.test_shapes]\ncircle = round_things:CIRCLE\ngeo/msg/Ball = round_things:BALL\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("round_things", None)


def test_own_things_are_imported_when_they_are_asked_for(monkeypatch):
    monkeypatch.delitem(sys.modules, "this", raising=False)
    registry = make(pi="math:pi", zen="this:s")
    assert registry["pi"] == 3.14159265358979311600 and list(registry) == ["pi", "zen"]
    assert "zen" in registry and "this" not in sys.modules


def test_a_name_can_be_registered_and_an_unknown_one_lists_the_known():
    registry = make(pi="math:pi")
    registry.register("two", 2)
    assert registry["two"] == 2
    with pytest.raises(UnknownName) as error:
        registry["three"]
    assert error.value.name == "three" and error.value.known == ["pi", "two"]
    assert isinstance(error.value, UserError) and "three" in str(error.value) and "pi, two" in str(error.value)


def test_entry_points_of_other_packages_are_found(installed):
    registry = make(pi="math:pi")
    assert list(registry) == ["pi", "circle", "geo/msg/Ball"] and "circle" in registry
    assert registry["circle"] == 3.14
    with pytest.raises(LoadError) as error:
        registry["geo/msg/Ball"]
    assert error.value.thing == "entry point round_things:BALL" and "geo/msg/Ball" in str(error.value)
