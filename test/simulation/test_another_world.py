"""The world of the docs page, in a package of its own: found by entry point, recorded as those of this package."""

import subprocess
import sys

import numpy as np
import pytest
from installed_package import code_of, install

from astra_ros.datasets.dataset import list_episodes, load_episode
from astra_ros.datasets.record import RecordRequest, record, robots_of
from astra_ros.registry import UnknownName
from astra_ros.simulation.worlds import WORLDS, default_worlds, make_world


@pytest.fixture
def pond(tmp_path, monkeypatch):
    """The folder of the package, installed and not yet imported."""
    folder = install(
        tmp_path / "package", "pond", code_of("add-a-world.md"), {"astra_ros.worlds": {"pond": "pond:WORLD"}}
    )
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    WORLDS._loaded.pop("pond", None)
    sys.modules.pop("pond", None)


def test_it_is_found_beside_those_of_this_package(pond):
    assert (
        list(WORLDS) == ["arm", "drive", "explore", "pushing", "lanes", "pond"]
        and "pond" in default_worlds()
        and "pond" not in sys.modules
    )
    assert WORLDS["pond"].robots == {"boat": "twist"} and robots_of(["pond"]) == [("pond", "boat")]
    with pytest.raises(UnknownName) as error:
        make_world("pond", "ship")
    assert error.value.known == ["boat"]


def test_its_motion_is_that_of_its_commands(pond):
    world = make_world("pond", size=32)
    world.reset(1)
    start, picture = world.place, world.render()
    world.play(np.random.default_rng(0), 4.0)
    world.step(0.25)
    assert np.hypot(*(world.place - start)) == pytest.approx(0.25 * world.motion()[0])
    world.reset(1, 2)
    assert (world.place == start).all() and (world.render() != picture).any()
    world.twist = np.array([100.0, 0.0])
    world.step(1.0)
    assert world.labels()["obstacle_contact"] and world.render()[:, -5:].max() == 255


def test_an_episode_is_recorded_in_two_styles(pond, tmp_path):
    assert record(RecordRequest(tmp_path / "data", robots_of(["pond"]), episodes=1, seconds=2.0)) == 1
    (path,) = list_episodes(tmp_path / "data")
    episode = load_episode(path, restyled=True)
    assert (episode.world, episode.robot, episode.space) == ("pond", "boat", "boat_twist")
    assert episode.frames.shape == (9, 64, 64, 3) and episode.motion.shape == (9, 2) and episode.camera is None
    assert list(episode.labels) == ["obstacle_contact"] and episode.restyled is not None
    assert episode.scene == {"size": 10.0} and (episode.motion[1:] == episode.motion[1]).all()


def test_the_command_offers_it(pond, tmp_path):
    out = tmp_path / "data"
    command = ["record", "--worlds", "pond", "--episodes", "1", "--seconds", "1", "--workers", "1", "--out", str(out)]
    code = f"import sys; sys.path.insert(0, {str(pond)!r}); from astra_ros.cli import main; sys.exit(main({command}))"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert len(list_episodes(out)) == 1
