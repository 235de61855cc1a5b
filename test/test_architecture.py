"""The rules of the house: which room may import which, where heavy packages may be used, how large things may be.

The tables below are the design. A rule is changed here, on purpose, or not at all.
"""

import ast
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "astra_ros"

# room -> the rooms that it may import. A room is a folder of astra_ros/, or a file beside them.
# The table has no cycle, so a path that follows imports cannot climb. That holds for the image (nodes -> bridge ->
# camera) and for the trajectory (nodes -> bridge -> plans; nodes -> ranking -> inference, critics -> plans).
ARROWS = {
    "errors": set(),
    "files": {"errors"},
    "logs": set(),
    "texts": set(),
    "obstacles": set(),
    "outcomes": set(),
    "rotations": set(),
    "settings": set(),
    "registry": set(),
    "resources": set(),
    "plans": set(),
    "world_model": set(),
    "camera": {"plans"},
    "robot": {"camera", "plans"},
    "inference": {"camera", "plans", "resources", "world_model"},
    "critics": {"inference", "plans"},
    "ranking": {"camera", "critics", "inference", "plans", "robot"},
    "views": {"critics", "inference", "plans"},
    "control": {"camera", "plans", "robot"},
    "agents": {"camera", "control", "critics", "inference", "plans", "ranking", "robot"},
    "simulation": {"camera", "control", "critics", "plans", "resources", "robot"},
    "datasets": {"camera", "plans", "resources", "robot", "simulation"},
    "training": {
        "camera", "datasets", "inference", "plans", "resources", "robot", "simulation", "views", "world_model"
    },
    "evaluation": {
        "agents", "camera", "control", "critics", "datasets", "inference", "plans", "ranking", "resources", "robot",
        "simulation", "training", "views", "world_model",
    },
    "bridge": {"camera", "control", "critics", "plans", "robot"},
    "nodes": {
        "agents", "bridge", "camera", "control", "critics", "datasets", "inference", "plans", "ranking", "resources",
        "robot", "simulation", "views",
    },
    "commands": {
        "datasets", "evaluation", "inference", "nodes", "ranking", "resources", "simulation", "training"
    },
    "cli": {"commands", "datasets", "evaluation", "nodes", "training"},
}  # fmt: skip

# imported package -> the files that may import it (a folder stands for everything in it)
ONLY_IN = {
    "ros": ("nodes/", "bridge/"),
    "cv_bridge": ("bridge/images.py",),
    "torch": ("world_model/", "training/", "evaluation/", "inference/torch"),
    "safetensors": ("world_model/", "training/", "evaluation/", "inference/torch"),
    "onnx": ("inference/torch",),
    "onnxruntime": ("inference/onnx",),
    "openvino": ("inference/openvino",),
    "pybullet": ("simulation/",),
    "pybullet_data": ("simulation/",),
    "ompl": ("control/",),
    "pinocchio": ("control/",),
    "coal": ("control/",),
    "toppra": ("control/",),
    "rosbags": ("datasets/rosbag/",),
    "pyarrow": ("datasets/",),
    "av": ("datasets/",),
}
# Files of nodes/ without ROS: cores of nodes; that of the imagine node also runs from a recording.
ROS_FREE = {
    "nodes/__init__.py", "nodes/explorer/core.py", "nodes/explorer/pilot.py", "nodes/gate/forwarding.py",
    "nodes/gate/judge.py", "nodes/gate/settings.py", "nodes/gate/stamps.py", "nodes/parameter_info.py",
    "nodes/reports.py", "nodes/start.py",
    *(f"nodes/imagine/{name}.py" for name in (
        "__init__", "auto_imagine", "base_state", "camera_inputs", "collision_objects", "core", "decision",
        "decision_file", "decision_record", "frozen_camera", "goal_inputs", "health", "inputs", "joint_inputs",
        "malloc_arenas", "message_readers", "model_thread", "obstacle_inputs", "plan_decider", "plan_inputs",
        "plan_stamps", "prediction_watch", "request_server", "robot_description", "robot_fit_watch", "robot_state",
        "settings", "statuses",
    )),
}  # fmt: skip
ROS = {
    "rclpy", "tf2_ros", "launch", "launch_ros", "ament_index_python", "message_filters",
    "builtin_interfaces", "lifecycle_msgs", "rcl_interfaces", "rosidl_runtime_py",
}  # fmt: skip

MOST_PARAMETERS = 7  # of a function, self and cls apart
MOST_LINES = 350  # of a file

# What messages say of pictures and lenses is read in one place, or node and import would come to differ:
# attribute -> the files that may read it (a folder stands for everything in it). Calls do not count for `format`.
READ_IN = {
    "imdecode": ("camera/image_files.py",),
    "imread": (),
    "k": ("camera/lens.py",),
    "p": ("camera/lens.py",),
    "roi": ("camera/lens.py",),
    "binning_x": ("camera/lens.py",),
    "binning_y": ("camera/lens.py",),
    "distortion_model": ("camera/lens.py",),
    "is_bigendian": ("camera/image_messages.py", "camera/depth_images.py", "bridge/images.py"),
    # of a message; of the facts and layouts that come of it; of a stored definition
    "encoding": ("camera/", "bridge/images.py", "datasets/rosbag/recording.py", "datasets/rosbag/bag.py"),
    "format": ("camera/image_messages.py", "datasets/rosbag/report.py"),
}


def imports_of(source: str, module: str) -> set[str]:
    """Every module named in an import anywhere in the source, with relative imports resolved.

    Args:
        source: Python text.
        module: its dotted name, e.g. "astra_ros.views.canvas".
    """
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join(module.split(".")[: -node.level] + ([base] if base else []))
            # `from a import b`: b may be a module of its own
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and "import_module" in ast.dump(node.func):
            names |= {a.value for a in node.args if isinstance(a, ast.Constant)}
    return names


def is_ros(package: str) -> bool:
    return package in ROS or package.endswith(("_msgs", "_srvs"))


def room_of(module: str) -> str:
    """The second word of a dotted name: "astra_ros.views.canvas" gives "views"."""
    return module.split(".")[1] if "." in module else ""


# Leaves that every room may use.
EVERYWHERE = {"errors", "files", "logs", "obstacles", "outcomes", "registry", "rotations", "settings", "texts"}


def broken_rules(path: str, source: str) -> list[str]:
    """What is wrong with one file's imports, in words.

    Args:
        path: relative to the package, e.g. "views/canvas.py".
        source: its text.
    """
    module = module_name(path)
    room = room_of(module)
    problems = []
    for name in sorted(imports_of(source, module)):
        package = name.split(".")[0]
        if package == "astra_ros":
            target = room_of(name)
            if target in ARROWS and target != room and target not in ARROWS.get(room, set()) | EVERYWHERE:
                problems.append(f"{path} imports {name}: {room} may not use {target}")
        if path in ROS_FREE and (is_ros(package) or name.startswith("astra_ros.bridge")):
            problems.append(f"{path} imports {name}: {path} is free of ROS")
        places = ONLY_IN.get("ros" if is_ros(package) else package)
        if places and not path.startswith(places):
            problems.append(f"{path} imports {name}: allowed only in {', '.join(places)}")
    return problems


def attributes_read(source: str) -> set[str]:
    """Names of all attributes that a source reads; of methods that are called `format`, the strings', none."""
    tree = ast.parse(source)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
        if not (node.attr == "format" and id(node) in called)
    }


def read_elsewhere(path: str, source: str) -> list[str]:
    """What one file reads of messages that is read in other files only, in words."""
    return [
        f"{path} reads .{name}: allowed only in {', '.join(READ_IN[name]) or 'no file'}"
        for name in sorted(attributes_read(source) & set(READ_IN))
        if not path.startswith(READ_IN[name])
    ]


def module_name(path: str) -> str:
    parts = ["astra_ros", *Path(path).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def parameter_counts(source: str) -> dict[str, int]:
    """Name of every function of a source -> how many parameters a caller can give it."""
    counts = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [arg.arg for arg in node.args.posonlyargs + node.args.args]
            taken = len(names) - (names[:1] in (["self"], ["cls"])) + len(node.args.kwonlyargs)
            counts[node.name] = max(taken, counts.get(node.name, 0))
    return counts


def public_classes(source: str) -> set[str]:
    """Names of the classes that a source defines for others."""
    names = {node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}
    return {name for name in names if not name.startswith("_")}


def package_files() -> dict[str, str]:
    files = {str(p.relative_to(PACKAGE)): p.read_text() for p in sorted(PACKAGE.rglob("*.py"))}
    assert files, f"no Python files under {PACKAGE}"
    return files


def cycles(graph: dict[str, set[str]]) -> list[str]:
    """The first cycle of a module -> imported modules graph, or nothing."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


@pytest.mark.parametrize("path", package_files())
def test_imports_keep_to_the_arrows(path):
    assert not broken_rules(path, (PACKAGE / path).read_text())


@pytest.mark.parametrize("path", package_files())
def test_messages_are_read_where_all_read_them(path):
    assert not read_elsewhere(path, (PACKAGE / path).read_text())


def test_every_place_of_reading_is_used():
    files = package_files()
    unused = {
        (name, place)
        for name, places in READ_IN.items()
        for place in places
        if not any(name in attributes_read(source) for path, source in files.items() if path.startswith(place))
    }
    assert not unused, f"in READ_IN, and not read there: {unused}"


@pytest.mark.parametrize(
    ("path", "source", "word"),
    [
        ("nodes/imagine/camera_inputs.py", "import cv2\ncv2.imdecode(msg.data, 1)", "imdecode"),
        ("datasets/rosbag/reader.py", "width = message.width // message.binning_x", "binning_x"),
        ("nodes/imagine/goal_inputs.py", "focal = info.k[0]", ".k"),
        ("datasets/rosbag/calibration.py", "left = info.roi.x_offset", "roi"),
        ("datasets/rosbag/topics.py", "is_depth = '16UC1' in message.format", "format"),
        ("nodes/imagine/goal_inputs.py", "if msg.encoding == 'rgb8': pass", "encoding"),
    ],
)
def test_a_second_reader_is_found(path, source, word):
    (problem,) = read_elsewhere(path, source)
    assert path in problem and word in problem


def test_text_that_is_formatted_is_no_message():
    assert not read_elsewhere("nodes/reports.py", "'{}'.format(1)\nmsg.encoding = 'rgb8'")


def test_functions_take_at_most_seven_parameters():
    large = {
        (path, name): count
        for path, source in package_files().items()
        for name, count in parameter_counts(source).items()
        if count > MOST_PARAMETERS
    }
    assert not large, "make a dataclass of these parameters"


def test_files_have_at_most_350_lines():
    large = {path: lines for path, source in package_files().items() if (lines := source.count("\n")) > MOST_LINES}
    assert not large, "split these files by reason to change"


def test_a_class_name_stands_for_one_thing():
    counts = Counter(name for source in package_files().values() for name in public_classes(source))
    assert not [name for name, count in counts.items() if count > 1]


def test_parameters_are_counted():
    source = "class A:\n    def f(self, a, b, /, c, *more, d, **rest): pass\n    def g(a=1): pass"
    assert parameter_counts(source) == {"f": 4, "g": 1} and public_classes(source) == {"A"}


def test_the_files_of_the_imagine_node_that_need_ros_are_the_others():
    files = {path: source for path, source in package_files().items() if path.startswith("nodes/imagine/")}
    with_ros = {
        path
        for path, source in files.items()
        if any(is_ros(name.split(".")[0]) for name in imports_of(source, module_name(path)))
    }
    assert set(files) - with_ros == {path for path in ROS_FREE if path.startswith("nodes/imagine/")}


def test_every_room_has_its_rule():
    rooms = {room_of(module_name(path)) for path in package_files()} - {""}
    assert rooms <= set(ARROWS), f"not in ARROWS: {rooms - set(ARROWS)}; decide what they may import"


def test_arrows_have_no_cycle():
    assert not cycles(ARROWS)


def test_modules_have_no_cycle():
    files = {module_name(path): source for path, source in package_files().items()}
    # A package's __init__ that gathers names is not a dependency of its own parts.
    graph = {m: imports_of(s, m) & (set(files) - {m}) - parents(m) for m, s in files.items()}
    assert not cycles(graph)


def parents(module: str) -> set[str]:
    parts = module.split(".")
    return {".".join(parts[:i]) for i in range(1, len(parts))}


def test_the_command_line_starts_only_known_rooms():
    from astra_ros.cli import COMMANDS, module_of

    assert {room_of(module_of(word)) for word in COMMANDS} <= ARROWS["cli"]


@pytest.mark.parametrize(
    ("path", "source", "word"),
    [
        ("plans/joint_plan.py", "import rclpy", "rclpy"),
        ("views/canvas.py", "from sensor_msgs.msg import Image", "sensor_msgs"),
        ("nodes/imagine/camera_inputs.py", "from cv_bridge import CvBridge", "cv_bridge"),
        ("views/canvas.py", "from ..simulation import arm_world", "simulation"),
        ("world_model/astra.py", "def f():\n    from astra_ros import plans", "plans"),
        ("nodes/imagine/node.py", "import torch.nn as nn", "torch"),
        ("nodes/simulator/node.py", "import pybullet", "pybullet"),
        ("nodes/imagine/core.py", "from sensor_msgs.msg import Image", "sensor_msgs"),
        ("nodes/imagine/inputs.py", "from astra_ros.bridge.images import image_to_rgb", "bridge"),
        ("inference/engine.py", "import importlib\nimportlib.import_module('onnxruntime')", "onnx"),
        ("simulation/x.py", "from astra_ros.nodes import demo", "nodes"),
    ],
)
def test_a_bad_import_is_found(path, source, word):
    problems = broken_rules(path, source)
    assert problems and all(word in problem for problem in problems)


def test_a_cycle_is_found():
    assert set(cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}})) == {"a", "b", "c"}
    assert not cycles({"a": {"b", "c"}, "b": {"c"}, "c": set()})


def test_every_test_file_has_a_name_of_its_own():
    # pytest imports test files by their bare names: two of one name stop the whole collection, but only where both
    # folders are collected together.
    names = Counter(path.name for path in (PACKAGE.parent / "test").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
