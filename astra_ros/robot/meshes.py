"""The mesh files of a robot description: their places, and their triangles in metres.

Size and pose are those that RViz shows (rviz_rendering 14.3.1, `mesh_loader_helpers/assimp_loader.cpp`). The unit of a
COLLADA file counts and its up axis does not; the transforms of a scene's nodes count; the numbers of other formats are
metres. The `scale` of the description is applied on top.

glTF has y up by its definition. RViz turns it to z up since 15.1.4 (ros2/rviz#1482), in Lyrical and Rolling. Jazzy and
Kilted, which this package runs on, do not (changelogs of rviz_rendering to 14.1.18 and 15.0.11), nor does this module.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np

from astra_ros.texts import short

# Formats with a defined up axis, which RViz turns since 15.1.4.
Y_UP = (".glb", ".gltf")


class MeshError(Exception):
    """A mesh file is missing or cannot be used. ``mesh`` is its name in the description."""

    def __init__(self, mesh: str, found: str, cure: str) -> None:
        super().__init__(f"the mesh '{mesh}' cannot be read: {found}; {cure}")
        self.mesh, self.found, self.cure = mesh, found, cure


def mesh_file(name: str) -> Path:
    """The file behind a mesh name of a description; raises MeshError where it is missing.

    Absolute paths and ``file:`` URLs of this machine (RFC 8089: ``file:///x``, ``file:/x``, ``file://localhost/x``) are
    taken as they are. ``package://`` is looked up in ``share/`` of the entries of ``AMENT_PREFIX_PATH``.
    """
    scheme, rest = _scheme(name)
    if scheme == "package":
        package, _, inside = rest.partition("/")
        prefixes = [p for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
        shares = [Path(prefix) / "share" / package for prefix in prefixes]
        places = [share / inside for share in shares]
        found = f"looked in share/{package} of AMENT_PREFIX_PATH={os.pathsep.join(prefixes) or '(not set)'}"
        cure = f"install the package {package} and source its workspace, or write file:// names of copies"
        if there := [share for share in shares if share.is_dir()]:
            found = f"no file '{inside}' in {', '.join(map(str, there))}"
            cure = f"build and install the package {package} with its meshes, or correct the name"
    elif scheme != "file":
        places, found = [], f"a name that begins with {scheme}://"
        cure = "write package://..., file:///... or an absolute path"
    elif rest and name.lower().startswith("file://") and not Path(rest).is_absolute():
        places, found = [], f"'{short(rest.partition('/')[0])}' behind file:// is a machine's name, or a relative path"
        cure = "write file:/// and the absolute path of a file on this machine"
    elif not Path(rest).is_absolute():
        places, found = [], "a relative name; expected file:///..., package://... or an absolute path"
        cure = "write where the file lies"
    else:
        places, found = [Path(rest), Path(unquote(rest))], "no such file"
        cure = "copy the file there, or correct the name"
    for place in places:
        if place.is_file():
            return place
    raise MeshError(name, found, cure)


def _scheme(name: str) -> tuple[str, str]:
    """(scheme, rest of the name); of files, the path."""
    scheme, mark, rest = name.partition("://")
    if mark and scheme.lower() != "file":
        return scheme, rest
    if name[:5].lower() != "file:":
        return "file", name
    rest = rest if mark else name[5:]
    return "file", rest[len("localhost") :] if mark and rest.lower().startswith("localhost/") else rest


def y_up_notes(names: Iterable[str]) -> list[str]:
    """A note on the up axis where there are glTF files among a description's meshes."""
    found = list(dict.fromkeys(name for name in names if Path(unquote(name)).suffix.lower() in Y_UP))
    if not found:
        return []
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return [
        f"the mesh '{short(found[0])}'{more}: glTF has y up, and is drawn without a turn, as RViz of Jazzy and "
        "Kilted shows it; RViz of Lyrical turns it to z up: if the part lies on its side, write it as STL, OBJ or "
        "COLLADA, which all show alike"
    ]


def read_mesh(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The triangles float64 [V, 3] m, int [F, 3] of all parts of a mesh file, in the poses of the file's scene.

    Raises:
        ValueError: it has no triangles, numbers that are not finite, or a unit that is not a length.
        Exception: of many kinds, raised by trimesh's loaders for broken files.
    """
    import trimesh  # comes with yourdfpy

    unit_m = _unit_m(path)
    mesh = trimesh.load(path, force="mesh", process=False, skip_materials=True)
    if not isinstance(mesh, trimesh.Trimesh) or not len(mesh.faces):
        raise ValueError("it holds no triangles")
    vertices = np.asarray(mesh.vertices, np.float64) * unit_m
    if not np.isfinite(vertices).all():
        raise ValueError("it holds NaN or infinity")
    return vertices, np.asarray(mesh.faces)


def _unit_m(path: Path) -> float:
    """The unit of a mesh file, m. trimesh reads it but does not apply it to the vertices."""
    if path.suffix.lower() == ".dae":
        return _collada_unit_m(path)
    if path.suffix.lower() == ".zae":
        with zipfile.ZipFile(path) as archive:
            inside = next(name for name in archive.namelist() if name.lower().endswith(".dae"))
            with archive.open(inside) as file:
                return _collada_unit_m(file)
    return 1.0


def _collada_unit_m(file) -> float:
    """``<asset><unit meter="...">`` of a COLLADA document; 1 where it is absent, as COLLADA 1.4.1 defines."""
    depth = 0
    for event, element in ElementTree.iterparse(file, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if event == "start" or depth != 1 or _tag(element) != "asset":
            continue
        for child in element:
            text = child.get("meter") if _tag(child) == "unit" else None
            if text is not None:
                try:
                    unit_m = float(text.strip().replace(",", "."))
                except ValueError:
                    unit_m = 0.0
                if not 0.0 < unit_m < np.inf:
                    raise ValueError(f'its <unit meter="{text[:40]}"> is not a length')
                return unit_m
        break
    return 1.0


def _tag(element) -> str:
    """An element's name without its namespace."""
    return element.tag.rpartition("}")[2]
