"""The YAML file of an import: its example, and wrong settings."""

from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from astra_ros.datasets.rosbag.errors import BagConfigError
from astra_ros.datasets.rosbag.import_settings import BagSettings, settings_from_yaml

EXAMPLE = Path(__file__).parents[3] / "config" / "robot.example.yaml"


def test_the_example_file_says_what_is_true(tmp_path):
    settings = settings_from_yaml(EXAMPLE)
    assert settings.robot == "my_arm" and settings.image_topic == "/wrist_camera/image_raw"
    # What is commented out has the default, or is an example of something that has none.
    text = EXAMPLE.read_text()
    named = {"image_topic", "camera_info_topic", "motion_topic"}
    for field in fields(BagSettings):
        assert field.name in named or f"{field.name}:" in text, f"{field.name} is not explained"
    shown = yaml.safe_load(
        "\n".join(
            line.removeprefix("# ")
            for line in text.splitlines()
            if line.startswith(("# clock", "# episode_s", "# max_gap_s", "# max_repeat_s", "# crf", "# command"))
        )
    )
    assert len(shown) == 6
    for key, value in shown.items():
        assert value == (
            getattr(BagSettings(), key.removeprefix("max_")) if key.startswith("max_") else getattr(BagSettings(), key)
        )
    (tmp_path / "all.yaml").write_text(
        "\n".join(
            line.removeprefix("# ")
            for line in text.splitlines()
            if hasattr(settings, line.removeprefix("# ").partition(":")[0]) and "camera_pose:  " not in line
        )
    )
    everything = settings_from_yaml(tmp_path / "all.yaml")
    assert everything.camera_pose == {"from_tf": "base_link"}
    assert everything.urdf == tmp_path / "my_arm.urdf"


@pytest.mark.parametrize(
    ("text", "problem", "cure"),
    [
        ("robott: x", "robott", "topics, axes"),
        ("robot: my-arm", "robot: 'my-arm'", "letter"),
        ("modality: legs", "modality: 'legs'", "joints, twist, camera"),
        ("dt_s: fast", "dt_s: 'fast'", "numbers"),
        ("dt_s: 0", "dt_s: 0.0", "above 0"),
        ("image_size: 64", "image_size: 64", "list"),
        ("image_size: [64, 63]", "image_size: [64, 63]", "at least 16"),
        ("episode_s: 2", "episode_s: 2 s are 8 frames 0.25 s apart", "17 frames"),
        ("axes: [x]", "axes: no x", "linear.x"),
        ("topics: {camera: /a}", "'camera': '/a'", "image, camera_info, motion"),
        ("camera_pose: {position: [0, 0, 0], quaternion: [0, 0, 0, 2]}", "camera_pose: {", "of length 1"),
        ("a: [", "YAML", "correct"),
        ("- a", "list", "key: value"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path, text, problem, cure):
    path = tmp_path / "robot.yaml"
    path.write_text(text)
    with pytest.raises(BagConfigError) as error:
        settings_from_yaml(path)
    assert error.value.thing == str(path) and problem in error.value.problem and cure in error.value.cure


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "robot.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BagConfigError) as error:
        settings_from_yaml(path)
    assert error.value.thing == str(path) and error.value.cure
