"""A model's card names a robot's camera for robot renders only where the robot was drawn in training."""

from dataclasses import replace

import numpy as np
import pytest
from bag_maker import BagMaker

from astra_ros.commands import train
from astra_ros.datasets.dataset import list_episodes, load_episode, read_footers
from astra_ros.datasets.robot_renders import Drawer, cameras_of
from astra_ros.datasets.rosbag.import_bag import import_bag
from astra_ros.datasets.rosbag.import_settings import BagSettings
from astra_ros.inference import load_world_model
from astra_ros.training.export import read_embodiments

pytest.importorskip("yourdfpy")

POSE = {"position": [1.0, 0, 1], "quaternion": [0.7071068, 0, 0, 0.7071068]}
URDF = (
    '<robot name="r"><link name="base"><visual><geometry><mesh filename="package://my_arm/l1.stl"/></geometry>'
    '</visual></link><link name="l1"/><joint name="j1" type="revolute"><parent link="base"/><child link="l1"/>'
    '<axis xyz="0 0 1"/><limit lower="-3" upper="3" effort="1" velocity="1"/></joint></robot>'
)
FEW = (
    "--autoencoder-steps",
    "0",
    "--dynamics-steps",
    "2",
    "--compositor-steps",
    "1",
    "--dynamics-batch",
    "1",
    "--compositor-batch",
    "1",
    "--horizon",
    "2",
)
DYNAMICS = (*FEW, "--stage", "dynamics")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Two short episodes of a robot whose description names a mesh."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "arm.urdf").write_text(URDF)
    for number in range(2):
        with BagMaker(folder / f"bag{number}") as bag:
            for t in np.arange(0, 4, 0.1):
                bag.image(t)
                bag.camera_info(t)
                bag.joints(t, j1=np.sin(t + number))
        import_bag(
            folder / f"bag{number}",
            folder / "data",
            BagSettings(robot="mine", camera_pose=POSE, urdf=folder / "arm.urdf"),
        )
    return folder / "data"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Installs the description's package, or removes it."""
    import trimesh

    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path / "prefix"))
    mesh = tmp_path / "prefix" / "share" / "my_arm" / "l1.stl"
    mesh.parent.mkdir(parents=True)

    class Package:
        def install(self):
            trimesh.creation.box([0.1] * 3).export(mesh)

        def remove(self):
            mesh.unlink()

    return Package()


def cameras_in_card(run):
    return load_world_model("torch", run / "model", "cpu").card.cameras


def test_a_robot_whose_meshes_were_missing_in_training_has_no_camera_in_the_card(
    recorded, tmp_path, arguments, package
):
    train.run(arguments(recorded, tmp_path / "without", *DYNAMICS))
    assert cameras_in_card(tmp_path / "without") == {} == read_embodiments(tmp_path / "without").cameras
    # Installed afterwards: the model has not seen the robot drawn, whatever is done to the finished run.
    package.install()
    train.run(arguments(recorded, tmp_path / "without", *FEW))
    assert cameras_in_card(tmp_path / "without") == {}
    train.run(arguments(recorded, tmp_path / "with", *DYNAMICS))
    (name,) = cameras_in_card(tmp_path / "with")
    assert name == "mine_joints" and cameras_in_card(tmp_path / "with") == cameras_of(
        read_footers(list_episodes(recorded)).values()
    )


def test_what_was_drawn_once_stays_when_a_run_goes_on_without_meshes(recorded, tmp_path, arguments, package):
    package.install()
    run = tmp_path / "run"
    train.run(arguments(recorded, run, *FEW, "--stage", "autoencoder"))
    assert read_embodiments(run).cameras == {}
    train.run(arguments(recorded, run, *DYNAMICS))
    package.remove()
    train.run(arguments(recorded, run, *FEW))
    assert list(cameras_in_card(run)) == ["mine_joints"]


def test_a_model_to_begin_with_brings_its_cameras_but_not_where_the_camera_is_another_now(
    recorded, tmp_path, arguments, package
):
    package.install()
    train.run(arguments(recorded, tmp_path / "first", *DYNAMICS))
    package.remove()
    base = ("--from", str(tmp_path / "first/model"))
    train.run(arguments(recorded, tmp_path / "same", *DYNAMICS, *base))
    assert list(cameras_in_card(tmp_path / "same")) == ["mine_joints"]
    moved = tmp_path / "moved"
    for number in range(2):
        import_bag(
            recorded.parent / f"bag{number}",
            moved,
            BagSettings(robot="mine", camera_pose=POSE | {"position": [2.0, 0, 1]}, urdf=recorded.parent / "arm.urdf"),
        )
    train.run(arguments(moved, tmp_path / "other", *DYNAMICS, *base))
    assert cameras_in_card(tmp_path / "other") == {}


def test_only_robots_of_the_spaces_that_were_drawn_are(recorded, package):
    package.install()
    episode = load_episode(list_episodes(recorded)[0])
    assert Drawer(recorded, (64, 64)).draw(episode) is not None
    assert Drawer(recorded, (64, 64), {"mine_joints": {}}).draw(episode) is not None
    assert Drawer(recorded, (64, 64), {}).draw(episode) is None
    assert Drawer(recorded, (64, 64), {}).draw(replace(episode, camera=None)) is None
