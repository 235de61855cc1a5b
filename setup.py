"""The package, for both ways of installing it: `pip install` and `colcon build` (ament_python)."""

import re
from pathlib import Path

from setuptools import find_packages, setup

NAME = "astra_ros"
VERSION = re.search(r"<version>(.+?)</version>", Path("package.xml").read_text()).group(1)

# Folders that are read at run time; each goes to share/astra_ros/ as it stands.
SHARED_FOLDERS = ("launch", "config", "rviz", "urdf", "models")


def shared_files() -> list[tuple[str, list[str]]]:
    """Return setuptools' data_files: the ament index marker, package.xml and the shared folders."""
    files = {"share/ament_index/resource_index/packages": [f"resource/{NAME}"], f"share/{NAME}": ["package.xml"]}
    for folder in SHARED_FOLDERS:
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                files.setdefault(f"share/{NAME}/{path.parent}", []).append(str(path))
    return list(files.items())


# Each dependency's reason is in docs/dependencies.md, the tested versions in constraints.txt.
EXTRAS = {
    "ros": [
        "ros-rclpy[fastrtps]",
        "ros-ament-index-python",
        "ros-diagnostic-msgs",
        "ros-geometry-msgs",
        "ros-nav-msgs",
        "ros-rosgraph-msgs",
        "ros-sensor-msgs",
        "ros-std-msgs",
        "ros-std-srvs",
        "ros-trajectory-msgs",
        "ros-visualization-msgs",
        "cv_bridge",
        "yourdfpy",
    ],
    "sim": ["pybullet>=3.2.5", "imageio-ffmpeg"],
    "torch": ["torch>=2.6", "safetensors", "torchmetrics"],
    "onnx": ["onnxruntime", "onnx"],
    "onnx-gpu": ["onnxruntime-gpu[cuda,cudnn]", "onnx"],
    "openvino": ["openvino"],
    "planning": ["ompl>=2.0.1", "pin>=4.1", "toppra>=0.6.10", "yourdfpy"],
    "data": ["rosbags>=0.11", "lz4", "backports.zstd; python_version < '3.14'", "pyarrow", "av", "imageio-ffmpeg"],
    "train": ["tensorboard"],
    "cluster": ["ray>=2.40"],
    "dev": [
        "scipy",
        "pytest>=8",
        "pytest-timeout",
        "colcon-common-extensions",
        "setuptools>=64,<80",
        "ruff",
        "mypy",
        "types-PyYAML",
        "types-tqdm",
    ],
}
# Without onnx-gpu: its package and onnxruntime overwrite each other.
EXTRAS["all"] = sorted({need for extra, needs in EXTRAS.items() if extra != "onnx-gpu" for need in needs})

setup(
    name=NAME,
    version=VERSION,
    description="See it before you move: imagined video and scores for a robot's candidate plans",
    long_description=Path("README.md").read_text() if Path("README.md").exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    maintainer="The astra_ros authors",
    maintainer_email="maintainers@astra-ros.invalid",
    python_requires=">=3.10",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["py.typed"]},
    data_files=shared_files(),
    install_requires=["setuptools", "numpy", "PyYAML", "opencv-python-headless", "pillow>=10.1", "tqdm"],
    extras_require=EXTRAS,
    zip_safe=False,
    entry_points={
        "console_scripts": [
            "astra = astra_ros.cli:main",
            "imagine = astra_ros.nodes.start:imagine",
            "simulator = astra_ros.nodes.start:simulator",
            "plan_source = astra_ros.nodes.start:plan_source",
            "arm_planner = astra_ros.nodes.start:arm_planner",
            "drive_planner = astra_ros.nodes.start:drive_planner",
            "explorer = astra_ros.nodes.start:explorer",
            "gate = astra_ros.nodes.start:gate",
        ]
    },
)
