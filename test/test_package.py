"""The ROS 2 package as a workspace has it: a real colcon build, and what it installed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from catkin_pkg.package import parse_package

import astra_ros
from astra_ros.nodes.client.node_specs import PARAMS_FILE, RVIZ_FILE

ROOT = Path(__file__).resolve().parent.parent
EXECUTABLES = ("arm_planner", "astra", "drive_planner", "explorer", "gate", "imagine", "plan_source", "simulator")
SHARED = (
    "package.xml",
    "launch/explore.launch.py",
    "launch/imagine.launch.py",
    PARAMS_FILE,
    RVIZ_FILE,
    "urdf/cube.urdf",
    "models/astra-arms/card.json",
    "models/astra-arms/model.safetensors",
    "models/astra-arms/style.safetensors",
    "models/astra-small/card.json",
    "models/astra-small/model.safetensors",
    "models/astra-small/style.safetensors",
    "models/astra-tiny/card.json",
    "models/astra-tiny/model.safetensors",
    "models/astra-tiny/style.safetensors",
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The install prefix of astra_ros after `colcon build` in a folder of its own."""
    workspace = tmp_path_factory.mktemp("workspace")
    command = [
        *(sys.executable, "-m", "colcon", "--log-base", "log", "build", "--base-paths", str(ROOT)),
        *("--build-base", "build", "--install-base", "install", "--packages-select", "astra_ros"),
        *("--event-handlers", "console_direct+"),
    ]
    result = subprocess.run(command, cwd=workspace, capture_output=True, text=True, timeout=240)
    assert result.returncode == 0, result.stdout + result.stderr
    return workspace / "install" / "astra_ros"


def run_in(prefix: Path, command: list[str]) -> subprocess.CompletedProcess:
    """Run a command as after `source install/setup.bash`, away from the checkout."""
    setup = prefix.parent / "setup.bash"
    shell = f'source "{setup}" && exec "$@"'
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        ["bash", "-c", shell, "bash", *command],
        cwd=prefix.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", SHARED)
def test_colcon_installs_shared_file(installed, name):
    assert (installed / "share" / "astra_ros" / name).is_file()


@pytest.mark.slow
def test_colcon_installs_every_file_of_the_shared_folders(installed):
    listed = subprocess.run(
        ["git", "ls-files", "launch", "config", "rviz", "urdf", "models"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("not a git checkout: nothing says which files belong to the package")
    share = installed / "share" / "astra_ros"
    assert [name for name in listed.stdout.split() if not (share / name).is_file()] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", EXECUTABLES)
def test_colcon_puts_executables_where_ros2_run_looks(installed, name):
    path = installed / "lib" / "astra_ros" / name
    assert path.is_file() and os.access(path, os.X_OK)


@pytest.mark.slow
def test_installed_package_is_found_by_the_ament_index(installed):
    code = "from ament_index_python import get_package_share_directory as f; print(f('astra_ros'))"
    result = run_in(installed, [sys.executable, "-c", code])
    assert result.stdout.strip() == str(installed / "share" / "astra_ros"), result.stderr


@pytest.mark.slow
def test_installed_package_reads_its_own_files(installed):
    code = (
        "import astra_ros; from astra_ros.resources import resource_path as f;"
        "print(astra_ros.__file__); print(f('urdf/cube.urdf')); print(f('models/astra-tiny'))"
    )
    result = run_in(installed, [sys.executable, "-c", code])
    lines = result.stdout.split()
    assert len(lines) == 3 and all(line.startswith(str(installed)) for line in lines), result


@pytest.mark.slow
def test_installed_executable_runs(installed):
    executable = str(installed / "lib" / "astra_ros" / "astra")
    result = run_in(installed, [executable, "--version"])
    assert result.stdout.strip() == f"astra_ros {astra_ros.__version__}", result.stderr


def test_version_is_the_same_everywhere():
    # setup.py reads package.xml; pip wrote down what setup.py said.
    manifest = parse_package(str(ROOT)).version
    setup = subprocess.run([sys.executable, "setup.py", "--version"], cwd=ROOT, capture_output=True, text=True)
    assert setup.stdout.split()[-1] == manifest == astra_ros.__version__


def test_package_xml_is_valid_format_3():
    package = parse_package(str(ROOT))  # raises on anything that the schema or REP 149 forbids
    warnings: list[str] = []
    package.validate(warnings)
    assert warnings == []
    assert package.package_format == 3
    assert package.get_build_type() == "ament_python"
    assert package.licenses == ["Apache-2.0"]
    assert "Apache License" in (ROOT / "LICENSE").read_text()


def test_package_xml_names_every_ros_package_that_the_code_imports():
    package = parse_package(str(ROOT))
    declared = {dependency.name for dependency in package.exec_depends}
    used = set()
    for path in [*(ROOT / "astra_ros").rglob("*.py"), *(ROOT / "launch").rglob("*.py")]:
        used |= set(re.findall(r"^\s*(?:from|import) (\w+_msgs|\w+_srvs|rclpy|cv_bridge|launch\w*)"
                               r"\b", path.read_text(), re.MULTILINE))  # fmt: skip
    optional = {"control_msgs", "moveit_msgs"}  # imported where it is installed
    assert used - optional <= declared


def test_resource_marker_has_the_name_of_the_package():
    assert (ROOT / "resource" / parse_package(str(ROOT)).name).is_file()
