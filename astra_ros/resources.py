"""Where the package's data files are: in a source checkout, or installed as a ROS package."""

from __future__ import annotations

import os
from pathlib import Path


def resource_path(relative: str | Path) -> Path:
    """The absolute path of a data file or directory of this package, e.g. ``"urdf/cube.urdf"``.

    It is looked for beside the Python package, then under ``share/astra_ros`` of the entries of ``AMENT_PREFIX_PATH``.

    Raises:
        FileNotFoundError: it is in none of these places; the message lists them.
    """
    prefixes = [Path(prefix) for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
    roots = [Path(__file__).resolve().parent.parent, *(prefix / "share" / "astra_ros" for prefix in prefixes)]
    places = [root / relative for root in roots]
    for place in places:
        if place.exists():
            return place
    raise FileNotFoundError(
        f"astra_ros has no data file '{relative}'; searched: {', '.join(map(str, places))}. Run from a source "
        "checkout, or build the package with colcon and source its install/setup.bash"
    )
