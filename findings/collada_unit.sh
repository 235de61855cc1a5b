#!/usr/bin/env bash
# The unit of a COLLADA file, loaded by trimesh.
#
# The guess: trimesh.load gives a .dae file's vertices in metres, as RViz shows them.
# The behaviour (trimesh 5.2.0, pycollada 0.9.3): the vertices stay in the file's unit. Of a file with
# <unit meter="0.001"/> a part of 0.1 m is 100 large. That is told by `mesh.units` alone, as the text
# "0.001 * meters". The transforms of the scene's nodes are applied. yourdfpy 0.0.60, which loads meshes so and
# does not ask, draws the part 100 m large.
# For our users: descriptions name COLLADA files in millimetres, centimetres or inches. RViz (assimp) applies
# the unit and, as it is set up, ignores <up_axis>. astra_ros reads the unit from the file itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'trimesh==5.2.0' 'pycollada==0.9.3' 'yourdfpy==0.0.60' 'numpy<2.3'
cat > "$folder/unit.py" <<'PY'
import io
import sys
from importlib.metadata import version

import numpy as np
import trimesh
from yourdfpy import URDF

FACES = "0 1 3 0 3 2 4 6 7 4 7 5 0 4 5 0 5 1 2 3 7 2 7 6 0 2 6 0 6 4 1 5 7 1 7 3"


def geometry(name):
    corners = np.array([(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)]) * (100, 40, 20)  # mm
    return f"""<geometry id="{name}"><mesh><source id="{name}p"><float_array id="{name}a" count="24">
      {' '.join(map(str, corners.ravel()))}</float_array><technique_common><accessor source="#{name}a" count="8" stride="3">
      <param name="X" type="float"/><param name="Y" type="float"/><param name="Z" type="float"/></accessor>
      </technique_common></source><vertices id="{name}v"><input semantic="POSITION" source="#{name}p"/></vertices>
      <triangles count="12"><input semantic="VERTEX" source="#{name}v" offset="0"/><p>{FACES}</p></triangles></mesh></geometry>"""


def collada(path, parts):
    nodes = "".join(f'<node id="n{name}"><instance_geometry url="#{name}"/></node>' for name in parts)
    with open(path, "w") as file:
        file.write(f"""<?xml version="1.0"?><COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">
          <asset><created>2026-01-01T00:00:00</created><modified>2026-01-01T00:00:00</modified>
          <unit name="millimeter" meter="0.001"/><up_axis>Z_UP</up_axis></asset>
          <library_geometries>{''.join(map(geometry, parts))}</library_geometries><library_visual_scenes>
          <visual_scene id="s">{nodes}</visual_scene></library_visual_scenes>
          <scene><instance_visual_scene url="#s"/></scene></COLLADA>""")
    return path


folder = sys.argv[1]
print("trimesh", version("trimesh"), "pycollada", version("pycollada"), "yourdfpy", version("yourdfpy"))
one = trimesh.load(collada(f"{folder}/one.dae", ["g"]), force="mesh")
two = trimesh.load(collada(f"{folder}/two.dae", ["g", "h"]), force="mesh")
print("one part:  size", one.extents, "units", one.units)
print("two parts: size", two.extents, "units", two.units)
text = (f'<robot name="r"><link name="base"><visual><geometry><mesh filename="{folder}/one.dae"/></geometry></visual>'
        "</link></robot>")
drawn = URDF.load(io.BytesIO(text.encode()), mesh_dir="").scene.extents
print("yourdfpy:  size", drawn, "of a part that RViz shows 0.1 m large")
as_stated = all(np.allclose(size, (100, 40, 20)) for size in (one.extents, two.extents, drawn))
as_stated &= one.units == two.units == "0.001 * meters"
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
"$folder/venv/bin/python" "$folder/unit.py" "$folder"
