"""Records gym-pusht, an environment that is not ours, as rosbag2: a disc pushes a T-shaped block over a table.

The environment is not a dependency of this project: `pusht.sh` says how to install it elsewhere, and calls this.

Each bag has 20 s: /camera/image_raw at 10 Hz, and /joint_states with the places of disc and block (m, rad). The disc
walks to a random side of the block and pushes through it; every fourth walk goes elsewhere.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import gym_pusht  # noqa: F401  (registers the environment)
import gymnasium
import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

HZ = 10  # of the environment
SECONDS = 20
TABLE = 512.0  # units of the environment a side; a unit is a millimetre here
SPEED = 180.0  # units a second
SIDE = 128  # pixels
NAMES = ("disc_x", "disc_y", "block_x", "block_y", "block_turn")

types = get_typestore(Stores.ROS2_HUMBLE)
Time, Header = types.types["builtin_interfaces/msg/Time"], types.types["std_msgs/msg/Header"]
Image, JointState = types.types["sensor_msgs/msg/Image"], types.types["sensor_msgs/msg/JointState"]


def waypoints(block: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Where the disc goes next: to one side of the block and through it, or anywhere."""
    if rng.random() < 0.25:
        return [rng.uniform(60, TABLE - 60, 2)]
    # Towards the middle rather than into a wall.
    ahead = rng.uniform(150, TABLE - 150, 2) - block
    ahead /= np.linalg.norm(ahead)
    aside = np.array([-ahead[1], ahead[0]]) * rng.uniform(-35, 35)
    begin, end = block - 110 * ahead + aside, block + rng.uniform(0, 90) * ahead + aside
    return [np.clip(each, 25, TABLE - 25) for each in (begin, end)]


def record(folder: Path, seed: int) -> None:
    env = gymnasium.make(
        "gym_pusht/PushT-v0",
        obs_type="pixels_agent_pos",
        observation_width=SIDE,
        observation_height=SIDE,
        max_episode_steps=10**6,
    )
    rng = np.random.default_rng(seed)
    start = [*rng.uniform(60, TABLE - 60, 2), *rng.uniform(170, TABLE - 170, 2), rng.uniform(-np.pi, np.pi)]
    seen, _ = env.reset(seed=seed, options={"reset_to_state": start})
    target, way = np.array(start[:2]), []
    with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        images = writer.add_connection("/camera/image_raw", Image.__msgtype__, typestore=types)
        joints = writer.add_connection("/joint_states", JointState.__msgtype__, typestore=types)
        for step in range(HZ * SECONDS + 1):
            ns = seed * 10**12 + step * 10**9 // HZ + 10**9
            header = Header(Time(ns // 10**9, ns % 10**9), "camera")
            pixels = np.ascontiguousarray(seen["pixels"])
            image = Image(header, SIDE, SIDE, "rgb8", 0, 3 * SIDE, pixels.ravel())
            body = env.unwrapped.block
            place = np.array([*env.unwrapped.agent.position, *body.position]) / 1000
            values = np.append(place, body.angle)
            empty = np.zeros(0)
            writer.write(images, ns, types.serialize_cdr(image, Image.__msgtype__))
            state = JointState(header, list(NAMES), values, empty, empty)
            writer.write(joints, ns, types.serialize_cdr(state, JointState.__msgtype__))
            if not way:
                way = waypoints(np.array(body.position), rng)
            rest = way[0] - target
            length = np.linalg.norm(rest)
            target = target + rest * min(1.0, SPEED / HZ / max(length, 1e-6))
            if length < SPEED / HZ:
                way.pop(0)
            seen, *_ = env.step(target.astype(np.float32))
    env.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("episodes", type=int)
    parser.add_argument("--first-seed", type=int, default=1)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for seed in range(args.first_seed, args.first_seed + args.episodes):
        record(args.out / f"push_{seed}", seed)


if __name__ == "__main__":
    main()
