"""Make a data set from a rosbag2 of a real robot, with a camera and its motion.

Reads sqlite3 (.db3) and MCAP bags without ROS. The topics of the camera and the motion are found where only one fits;
else name them here or in a YAML file (config/robot.example.yaml). Frames are taken a model step apart, and the motion
is interpolated at the frames' times. A report says what was found, what was dropped and why. A bag is not imported
twice, and an import that was stopped goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from astra_ros.commands.arguments import at_least, frame_size
from astra_ros.datasets.rosbag.import_bag import ImportRequest, import_bags
from astra_ros.datasets.rosbag.import_settings import CLOCKS, BagSettings, bag_spaces, changed, settings_from_yaml


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "examples:\n"
        "  astra import-bag rosbag2_2026_05_04-10_00_00 --out data/mine --dry-run\n"
        "  astra import-bag bags/* --out data/mine --config my_arm.yaml\n"
        "  astra import-bag drive.mcap --out data/mine --robot rover --modality twist "
        "--image-topic /front/image_raw\n"
        "\nthe whole way from a robot to a model: docs/own-data.md\n"
    )
    defaults = BagSettings()
    parser.add_argument(
        "bags", nargs="+", type=Path, metavar="BAG", help="folder of a rosbag2, or a .db3 or .mcap file"
    )
    parser.add_argument("--out", type=Path, default=Path("data/mine"), help="folder of episodes")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="YAML",
        help="the settings below and some more, as in config/robot.example.yaml; options that are given win",
    )
    parser.add_argument("--robot", help=f"its name, part of the files' names (default: {defaults.robot})")
    parser.add_argument("--world", help=f"where it was recorded (default: {defaults.world})")
    parser.add_argument(
        "--modality", choices=tuple(bag_spaces()), help="kind of motion (default: the only one that the bag holds)"
    )
    parser.add_argument("--image-topic", metavar="TOPIC", help="the camera (default: the only one)")
    parser.add_argument(
        "--camera-info-topic",
        metavar="TOPIC",
        help="its lens, needed with camera_pose and with modality camera (default: camera_info beside the image)",
    )
    parser.add_argument(
        "--motion-topic",
        metavar="TOPIC",
        help="JointState, Twist, TwistStamped, Odometry or TFMessage (default: the only one of the modality)",
    )
    parser.add_argument(
        "--joints", nargs="+", metavar="NAME", help="which joints, in this order (default: all, sorted)"
    )
    parser.add_argument(
        "--dt",
        type=float,
        metavar="SECONDS",
        dest="dt_s",
        help=f"between two frames, the model's step (default: {defaults.dt_s})",
    )
    parser.add_argument(
        "--size",
        type=frame_size,
        dest="image_size",
        metavar="PIXELS",
        help=f"of a frame, as 64 or, width first, as 96x64; even (default: {defaults.image_size[0]})",
    )
    parser.add_argument(
        "--episode-seconds",
        type=float,
        dest="episode_s",
        metavar="SECONDS",
        help=f"longer recordings are cut evenly (default: {defaults.episode_s:g})",
    )
    parser.add_argument(
        "--clock",
        choices=CLOCKS,
        help="header: stamps of the messages; receive: when they were recorded; "
        "auto: stamps where they are there and agree "
        f"(default: {defaults.clock})",
    )
    parser.add_argument("--urdf", type=Path, help="the robot's description, copied beside the episodes")
    parser.add_argument(
        "--crf", type=at_least(0, 51), help=f"video quality, as in astra record (default: {defaults.crf}, lossless)"
    )
    parser.add_argument("--force", action="store_true", help="replace what was imported of the same bag before")
    parser.add_argument("--dry-run", action="store_true", help="say what would be imported, write nothing")


def run(args: argparse.Namespace) -> int:
    base = settings_from_yaml(args.config) if args.config else BagSettings()
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in vars(args).items()}
    settings = changed(base, {name: given[name] for name in _SETTINGS})
    import_bags(ImportRequest(args.bags, args.out, settings, args.force, args.dry_run), args.flags)
    return 0


_SETTINGS = (
    "robot", "world", "modality", "image_topic", "camera_info_topic", "motion_topic", "joints", "dt_s", "image_size",
    "episode_s", "clock", "urdf", "crf",
)  # fmt: skip
