"""Where the package's data files are: in a source checkout, or installed as a ROS package."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = "astra_ros"


def resource_path(relative: str | Path) -> Path:
    """The absolute path of a data file or directory of this package, e.g. ``"urdf/cube.urdf"``.

    Looked for in the repository root beside the Python package first, then under
    ``share/astra_ros`` of every entry of ``AMENT_PREFIX_PATH``, in that order.

    Raises:
        FileNotFoundError: it is in none of these places; the message lists them.
    """
    roots = [Path(__file__).resolve().parent.parent]
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        if prefix:
            roots.append(Path(prefix) / "share" / PACKAGE)
    places = [root / relative for root in roots]
    for place in places:
        if place.exists():
            return place
    raise FileNotFoundError(
        f"{PACKAGE} has no data file '{relative}'; searched: "
        + ", ".join(str(place) for place in places)
        + ". Run from a source checkout, or build the package with colcon and source its "
        "install/setup.bash"
    )
