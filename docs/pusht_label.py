"""Labels of imported pushes: where the block is, as `object_position`, so that a detector of it can be trained.

    python docs/pusht_label.py IMPORTED PLACES OUT

Reads two imports of the same bags (see pusht.sh): what a model learns from, and the same with the block's place. A
camera 1 m above a table of 0.512 m shows the places where they are.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.datasets.dataset import list_episodes, load_episode, save_episode

SIDE = 0.512  # m, of the table
MIDDLE = 0.045  # m, from the block's origin, on the edge of its bar, to its middle


def main(data: Path, places: Path, out: Path) -> None:
    out.mkdir(parents=True)
    for path in list_episodes(data):
        episode, known = load_episode(path), load_episode(places / path.name)
        place = dict(zip(known.motion_names, known.motion.T))
        turn = place["block_turn"]
        x, y = place["block_x"] - MIDDLE * np.sin(turn), place["block_y"] + MIDDLE * np.cos(turn)
        position = np.stack([x - SIDE / 2, y - SIDE / 2, np.ones_like(x)], axis=1).astype(np.float32)
        size = episode.frames.shape[1]
        camera = PinholeCamera(size, size, size / SIDE, size / SIDE, (size - 1) / 2, (size - 1) / 2, np.eye(4))
        labelled = replace(episode, labels={"object_position": position}, camera=camera.to_dict())
        save_episode(out / path.name, labelled)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
