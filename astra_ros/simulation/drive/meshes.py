"""Low-poly bodies of the drive world: a hundred triangles each, coloured from one small texture.

Frames: the origin is a body's middle on the ground, x forward, z up. Faces are flat-shaded and
counter-clockwise seen from outside.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

ATLAS = 64  # pixels of the texture's side
FACADE = 32  # pixels of a house front in it: the four quarters are three fronts and the palette
CELL = 4  # pixels of a palette colour
WINDOWS = 8  # windows across and up a house front's quarter

PALETTE = {
    "paint0": (200, 30, 35),
    "paint1": (30, 80, 190),
    "paint2": (240, 240, 240),
    "paint3": (40, 40, 46),
    "paint4": (245, 190, 30),
    "paint5": (35, 140, 75),
    "paint6": (150, 155, 162),
    "paint7": (235, 110, 25),
    "paint8": (110, 55, 140),
    "glass": (45, 60, 75),
    "tyre": (26, 26, 28),
    "rim": (165, 168, 172),
    "trim": (48, 48, 52),
    "tail": (225, 20, 20),
    "lamp": (255, 250, 215),
    "plate": (235, 235, 225),
    "cargo": (226, 228, 230),
    "trunk": (98, 70, 48),
    "leaf": (76, 140, 52),
    "needle": (36, 96, 58),
    "orange": (250, 105, 20),
    "white": (250, 250, 250),
    "red": (214, 35, 35),
    "wood": (178, 130, 76),
    "board": (128, 88, 48),
    "roof": (150, 75, 55),
    "flat": (120, 118, 116),
    "steel": (120, 126, 132),
}
_FRONTS = (  # wall, window, frame
    ((205, 190, 165), (78, 98, 120), (238, 232, 220)),
    ((176, 98, 78), (62, 76, 92), (230, 222, 208)),
    ((196, 204, 212), (58, 108, 150), (160, 170, 180)),
)
_WHERE = {name: (FACADE + CELL * (k % 8), FACADE + CELL * (k // 8)) for k, name in enumerate(PALETTE)}


def atlas() -> np.ndarray:
    """The texture: uint8 [64, 64, 3] RGB."""
    image = np.zeros((ATLAS, ATLAS, 3), dtype=np.uint8)
    step = FACADE // WINDOWS
    for k, (wall, window, frame) in enumerate(_FRONTS):
        front = np.empty((step, step, 3), dtype=np.uint8)
        front[:] = wall
        front[0, 1:] = frame
        front[1:3, 1:] = window
        row, column = FACADE * (k // 2), FACADE * (k % 2)
        image[row : row + FACADE, column : column + FACADE] = np.tile(front, (WINDOWS, WINDOWS, 1))
    for name, (column, row) in _WHERE.items():
        image[row : row + CELL, column : column + CELL] = PALETTE[name]
    return image


@dataclass
class Mesh:
    """Triangles as ``pybullet.createVisualShape`` takes them."""

    vertices: list = field(default_factory=list)
    normals: list = field(default_factory=list)
    uvs: list = field(default_factory=list)
    indices: list = field(default_factory=list)

    def face(self, points, colour) -> None:
        """A flat convex polygon, counter-clockwise.

        Args:
            points: N of x, y, z in m.
            colour: a name of ``PALETTE``, or N pixels (column, row) of the texture.
        """
        points = [tuple(float(v) for v in point) for point in points]
        (ax, ay, az), (bx, by, bz) = ([b - a for a, b in zip(points[0], p)] for p in points[1:3])
        normal = (ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx)
        length = max(math.hypot(*normal), 1e-12)
        if isinstance(colour, str):
            column, row = _WHERE[colour]
            colour = [(column + CELL / 2, row + CELL / 2)] * len(points)
        first = len(self.vertices)
        self.vertices += points
        self.normals += [tuple(v / length for v in normal)] * len(points)
        self.uvs += [(float(column) / ATLAS, 1.0 - float(row) / ATLAS) for column, row in colour]
        for k in range(1, len(points) - 1):
            self.indices += [first, first + k, first + k + 1]

    def box(self, low, high, colour: str, sides: str = "xXyYZ", **other: str) -> None:
        """Faces of a box from ``low`` to ``high``; ``sides`` names them, capitals the high ones."""
        (x0, y0, z0), (x1, y1, z1) = low, high
        faces = {
            "x": ((x0, y1, z0), (x0, y0, z0), (x0, y0, z1), (x0, y1, z1)),
            "X": ((x1, y0, z0), (x1, y1, z0), (x1, y1, z1), (x1, y0, z1)),
            "y": ((x0, y0, z0), (x1, y0, z0), (x1, y0, z1), (x0, y0, z1)),
            "Y": ((x1, y1, z0), (x0, y1, z0), (x0, y1, z1), (x1, y1, z1)),
            "Z": ((x0, y0, z1), (x1, y0, z1), (x1, y1, z1), (x0, y1, z1)),
        }
        for side in sides:
            self.face(faces[side], other.get(side, colour))

    def extrude(self, profile, low_half, high_half, colours, side_colour: str) -> None:
        """A side view [N, 2] (x, z), counter-clockwise from the right, extruded in y.

        Args:
            low_half, high_half: m, half the width at the profile's lowest and highest point.
            colours: of the N edges, None for a hidden one.
        """
        profile = np.asarray(profile, dtype=np.float64)
        z = profile[:, 1]
        share = (z - z.min()) / (z.max() - z.min())
        half = low_half + (high_half - low_half) * share
        right = np.stack([profile[:, 0], -half, z], axis=-1)
        left = np.stack([profile[:, 0], half, z], axis=-1)
        self.face(right, side_colour)
        self.face(left[::-1], side_colour)
        for k, colour in enumerate(colours):
            after = (k + 1) % len(profile)
            if colour:
                self.face((right[k], left[k], left[after], right[after]), colour)

    def ring(self, low, high, low_radius, high_radius, count, colour) -> None:
        """The side of a round body between two heights, with ``count`` faces."""
        angles = np.arange(count + 1) * (2 * np.pi / count)
        circle = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        for a, b in zip(circle, circle[1:]):
            corners = [(*(low_radius * a), low), (*(low_radius * b), low)]
            if high_radius > 0.0:
                corners += [(*(high_radius * b), high), (*(high_radius * a), high)]
            else:
                corners.append((0.0, 0.0, high))
            self.face(corners, colour)

    def disc(self, height, radius, count, colour) -> None:
        """A flat top, seen from above."""
        angles = np.arange(count) * (2 * np.pi / count)
        self.face([(radius * np.cos(a), radius * np.sin(a), height) for a in angles], colour)

    def wheel(self, x, side, y, radius) -> None:
        """A wheel whose outer face lies at ``y``; side +1 left, -1 right."""
        angles = np.arange(8) * (np.pi / 4) + np.pi / 8
        circle = np.stack([x + radius * np.cos(angles), radius + radius * np.sin(angles)], axis=-1)
        outer = [(px, y, pz) for px, pz in circle[:: -int(side)]]
        self.face(outer, "tyre")
        out = y + 0.012 * side
        hub = [(x + 0.5 * (px - x), out, radius + 0.5 * (pz - radius)) for px, _, pz in outer]
        self.face(hub, "rim")
        # The tread, visible from behind and from the front.
        inner = y - side * 0.25
        for rim_x, out in ((x - radius * 0.92, "x"), (x + radius * 0.92, "X")):
            low, high = (rim_x, min(y, inner), 0.0), (rim_x, max(y, inner), 1.4 * radius)
            self.box(low, high, "tyre", out)


@lru_cache(maxsize=1024)
def build_mesh(kind: str, size: tuple[float, float, float], variant: int) -> Mesh:
    """The mesh of a kind of ``obstacles.SIZES``. It is cached: do not change it.

    Raises:
        KeyError: unknown kind.
    """
    mesh = Mesh()
    _BUILDERS[kind](mesh, *size, variant)
    return mesh


def _lights(mesh, rear, front, low, high, half, inner) -> None:
    for side in (-1.0, 1.0):
        y0, y1 = sorted((side * inner, side * half))
        mesh.box((rear - 0.02, y0, low), (rear - 0.02, y1, high), "tail", "x")
        mesh.box((front + 0.02, y0, low), (front + 0.02, y1, high), "lamp", "X")
    mesh.box((rear - 0.02, -0.26, low - 0.14), (rear - 0.02, 0.26, low + 0.02), "plate", "x")
    mesh.box((front + 0.02, -0.5, low - 0.2), (front + 0.02, 0.5, low), "trim", "X")


def _car(mesh, length, width, height, variant) -> None:
    paint, half, wide = f"paint{variant}", length / 2, width / 2
    waist = 0.62 * height
    hull = [(-half, 0.22), (half, 0.22), (half, 0.62), (half - 1.1, waist), (-half + 0.1, waist)]
    mesh.extrude(hull, wide, 0.97 * wide, ("trim", paint, paint, paint, paint), paint)
    rear, front = -half + 0.25, half - 1.0
    cabin = [(rear, waist), (front, waist), (front - 0.65, height), (rear + 0.55, height)]
    mesh.extrude(cabin, 0.94 * wide, 0.72 * wide, (None, "glass", paint, "glass"), "glass")
    for x in (-half + 0.8, half - 0.8):
        for side in (-1, 1):
            mesh.wheel(x, side, side * (wide + 0.01), 0.33)
    _lights(mesh, -half, half, 0.6, 0.8, 0.97 * wide, 0.55 * wide)


def _van(mesh, length, width, height, variant) -> None:
    paint, half, wide = f"paint{variant}", length / 2, width / 2
    body = [(-half, 0.25), (half, 0.25), (half, 0.95), (half - 0.9, height), (-half, height)]
    mesh.extrude(body, wide, 0.93 * wide, ("trim", paint, "glass", paint, paint), paint)
    for side in (-1.0, 1.0):
        y0, y1 = sorted((side * 0.06, side * 0.85 * wide))
        rear = (-half - 0.02, y0, 0.58 * height), (-half - 0.02, y1, 0.88 * height)
        mesh.box(*rear, "glass", "x")
        y = side * 0.985 * wide
        window = (half - 1.9, y, 0.55 * height), (half - 1.0, y, 0.85 * height)
        mesh.box(*window, "glass", "Y" if side > 0 else "y")
        for x in (-half + 0.95, half - 0.95):
            mesh.wheel(x, int(side), side * (wide + 0.01), 0.36)
    _lights(mesh, -half, half, 0.62, 0.95, 0.95 * wide, 0.72 * wide)


def _truck(mesh, length, width, height, variant) -> None:
    paint, half, wide = f"paint{variant}", length / 2, width / 2
    cab = half - 1.7
    mesh.box((-half, -wide, 0.75), (cab - 0.15, wide, height), "cargo")
    mesh.box((-half - 0.02, -0.04, 0.8), (-half - 0.02, 0.04, height - 0.08), "trim", "x")
    mesh.box((-half, -0.8 * wide, 0.4), (half, 0.8 * wide, 0.75), "trim")
    front = [(cab, 0.4), (half, 0.4), (half, 1.25), (half - 0.35, 2.25), (cab, 2.25)]
    mesh.extrude(front, 0.97 * wide, 0.9 * wide, ("trim", paint, "glass", paint, paint), paint)
    for x in (-half + 1.2, half - 0.9):
        for side in (-1, 1):
            mesh.wheel(x, side, side * (wide + 0.01), 0.45)
    _lights(mesh, -half, half, 0.5, 0.7, 0.78 * wide, 0.45 * wide)


def _cone(mesh, length, width, height, _) -> None:
    radius = 0.36 * length
    mesh.box((-length / 2, -width / 2, 0.0), (length / 2, width / 2, 0.07), "trim")
    bands = ((0.07, 0.4, "orange"), (0.4, 0.68, "white"), (0.68, 1.0, "orange"))
    for low, high, colour in bands:
        radii = [radius * (1.0 - 0.85 * share) for share in (low, high)]
        mesh.ring(low * height, high * height, *radii, 6, colour)
    mesh.disc(height, 0.15 * radius, 6, "orange")


def _barrel(mesh, length, width, height, variant) -> None:
    colours = (("orange", "white"), ("red", "white"), ("paint1", "steel"))[variant % 3]
    for k in range(5):
        mesh.ring(k * height / 5, (k + 1) * height / 5, length / 2, length / 2, 8, colours[k % 2])
    mesh.disc(height, length / 2, 8, colours[0])


def _crate(mesh, length, width, height, _) -> None:
    x, y = length / 2, width / 2
    mesh.box((-x, -y, 0.0), (x, y, height), "wood")
    rim, out = 0.14 * height, 0.01
    for side, low, high in (
        ("x", (-x - out, rim - y, rim), (-x - out, y - rim, height - rim)),
        ("X", (x + out, rim - y, rim), (x + out, y - rim, height - rim)),
        ("y", (rim - x, -y - out, rim), (x - rim, -y - out, height - rim)),
        ("Y", (rim - x, y + out, rim), (x - rim, y + out, height - rim)),
        ("Z", (rim - x, rim - y, height + out), (x - rim, y - rim, height + out)),
    ):
        mesh.box(low, high, "board", side)


def _barrier(mesh, length, width, height, _) -> None:
    x, count = length / 2, 6
    for k in range(count):
        y0, y1 = width * (k / count - 0.5), width * ((k + 1) / count - 0.5)
        mesh.box((-x, y0, 0.0), (x, y1, height), ("red", "white")[k % 2], "xXZ")
    mesh.box((-x, -width / 2, 0.0), (x, width / 2, height), "red", "y")
    mesh.box((-x, -width / 2, 0.0), (x, width / 2, height), "white", "Y")


def _tree(mesh, length, width, height, _) -> None:
    mesh.ring(0.0, 0.45 * height, 0.45 * length, 0.3 * length, 5, "trunk")
    radius = 0.3 * height
    mesh.ring(0.32 * height, 0.5 * height, 0.45 * radius, radius, 7, "leaf")
    mesh.ring(0.5 * height, 0.75 * height, radius, 0.9 * radius, 7, "leaf")
    mesh.ring(0.75 * height, height, 0.9 * radius, 0.0, 7, "leaf")


def _conifer(mesh, length, width, height, _) -> None:
    mesh.ring(0.0, 0.25 * height, 0.4 * length, 0.35 * length, 4, "trunk")
    mesh.ring(0.2 * height, 0.7 * height, 0.24 * height, 0.0, 7, "needle")
    mesh.ring(0.5 * height, height, 0.17 * height, 0.0, 7, "needle")


def _lamp(mesh, length, width, height, _) -> None:
    mesh.box((-0.08, -0.08, 0.0), (0.08, 0.08, height), "steel", "xXyY")
    mesh.box((-1.6, -0.08, height - 0.12), (0.1, 0.08, height), "steel")
    mesh.box((-1.7, -0.16, height - 0.25), (-1.1, 0.16, height - 0.1), "lamp")


def _building(mesh, length, width, height, variant) -> None:
    x, y = length / 2, width / 2
    column, row = FACADE * (variant % 2), FACADE * (variant // 2)
    pixels = FACADE / WINDOWS
    up = pixels * np.clip(np.round(height / 2.6), 1, WINDOWS)
    corners = {"x": ((-x, y), (-x, -y)), "X": ((x, -y), (x, y)), "y": ((-x, -y), (x, -y)), "Y": ((x, y), (-x, y))}
    for side, (a, b) in corners.items():
        long = length if side in "yY" else width
        across = pixels * np.clip(np.round(long / 2.2), 1, WINDOWS)
        # Slightly inside the quarter, so that edges do not sample its neighbour.
        u, v = (column + 0.01, column + across - 0.01), (row + up - 0.01, row + 0.01)
        front = [(u[0], v[0]), (u[1], v[0]), (u[1], v[1]), (u[0], v[1])]
        mesh.face([(*a, 0.0), (*b, 0.0), (*b, height), (*a, height)], front)
    if height > 7.0:
        mesh.box((-x, -y, height), (x, y, height), "flat", "Z")
        return
    ridge, out = height + 0.38 * width, 0.4
    eaves = [(-x - out, -y - out), (x + out, -y - out), (x + out, y + out), (-x - out, y + out)]
    (right, ahead, left, behind) = [(*corner, height - 0.2) for corner in eaves]
    top_a, top_b = (-x - out, 0.0, ridge), (x + out, 0.0, ridge)
    mesh.face((right, ahead, top_b, top_a), "roof")
    mesh.face((left, behind, top_a, top_b), "roof")
    mesh.face(((x, -y, height), (x, y, height), (x, 0.0, ridge)), "cargo")
    mesh.face(((-x, y, height), (-x, -y, height), (-x, 0.0, ridge)), "cargo")


_BUILDERS = {
    build.__name__[1:]: build
    for build in (_car, _van, _truck, _cone, _barrel, _crate, _barrier, _tree, _conifer, _lamp, _building)
}
