"""The look of a drive scene: colours of sky and ground, road markings, light, haze."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Rgb = tuple[float, float, float]  # 0..1

# Zenith, horizon and cloud colour of a kind of day.
SKIES = (
    ((0.25, 0.50, 0.88), (0.76, 0.86, 0.95), (1.00, 1.00, 1.00)),  # clear
    ((0.38, 0.62, 0.90), (0.84, 0.90, 0.94), (1.00, 1.00, 1.00)),  # bright
    ((0.55, 0.60, 0.66), (0.80, 0.82, 0.84), (0.88, 0.89, 0.90)),  # overcast
    ((0.30, 0.38, 0.66), (0.97, 0.74, 0.54), (1.00, 0.82, 0.66)),  # evening
    ((0.44, 0.58, 0.80), (0.95, 0.88, 0.76), (1.00, 0.96, 0.88)),  # morning
)
# Ground beside the road, and hills at the horizon.
LANDS = (
    ((0.36, 0.56, 0.24), (0.38, 0.52, 0.42)),  # meadow
    ((0.28, 0.47, 0.22), (0.28, 0.42, 0.38)),  # lush
    ((0.56, 0.56, 0.28), (0.52, 0.52, 0.40)),  # dry grass
    ((0.72, 0.62, 0.42), (0.66, 0.56, 0.44)),  # sand
    ((0.47, 0.40, 0.28), (0.44, 0.44, 0.44)),  # earth
)
ASPHALTS = ((0.30, 0.31, 0.33), (0.38, 0.38, 0.39), (0.25, 0.26, 0.29), (0.44, 0.42, 0.40))
WHITE, YELLOW = (0.95, 0.95, 0.93), (0.96, 0.76, 0.16)


@dataclass(frozen=True)
class DriveStyle:
    """The look that belongs to a seed. Lengths in m, RGB 0..1.

    Attributes:
        zenith, horizon, cloud: of the sky; distant objects fade to ``horizon``.
        cloudiness: 0..1.
        land, hills: of the ground beside the road, and of the skyline.
        hill_height: rad, of the highest hills above the horizon.
        asphalt, paving: of the road and of the sidewalk.
        line, centre_line: of the markings.
        line_width: of every marking.
        centre: 'dashed', 'solid' or 'double', between opposite directions.
        dash: length of a mark and of mark and gap together, of a dashed line.
        edge: whether the road's edges are marked.
        light: points to the sun, world frame.
        shade: 0..1, light left in a shadow.
        haze: distance at which objects have faded by two thirds.
        pattern: chooses the noise of ground and clouds.
    """

    zenith: Rgb
    horizon: Rgb
    cloud: Rgb
    cloudiness: float
    land: Rgb
    hills: Rgb
    hill_height: float
    asphalt: Rgb
    paving: Rgb
    line: Rgb
    centre_line: Rgb
    line_width: float
    centre: str
    dash: tuple[float, float]
    edge: bool
    light: tuple[float, float, float]
    shade: float
    haze: float
    pattern: int


def sample_style(seed: int) -> DriveStyle:
    """The look that belongs to a seed, any integer >= 0."""
    rng = np.random.default_rng([seed, 12])

    def near(rgb, amount=0.03) -> Rgb:
        tone = np.array(rgb) + rng.normal(0.0, amount) + rng.uniform(-0.5, 0.5, 3) * amount
        red, green, blue = np.clip(tone, 0.0, 1.0).tolist()
        return red, green, blue

    sky = rng.choice(len(SKIES), p=[0.3, 0.25, 0.2, 0.12, 0.13])
    zenith, horizon, cloud = SKIES[sky]
    land, hills = LANDS[rng.choice(len(LANDS), p=[0.35, 0.25, 0.18, 0.12, 0.10])]
    asphalt = near(ASPHALTS[rng.integers(len(ASPHALTS))], 0.02)
    azimuth, height = rng.uniform(-np.pi, np.pi), rng.uniform(0.7, 1.8)
    mark = rng.uniform(2.0, 3.5)
    return DriveStyle(
        zenith=near(zenith),
        horizon=near(horizon, 0.02),
        cloud=cloud,
        cloudiness=float(rng.uniform(0.1, 0.8)),
        land=near(land),
        hills=near(hills),
        hill_height=float(rng.uniform(0.03, 0.12)),
        asphalt=asphalt,
        paving=near((0.62, 0.60, 0.57), 0.04),
        line=near(WHITE, 0.02),
        centre_line=near(YELLOW if rng.random() < 0.4 else WHITE, 0.02),
        line_width=float(rng.uniform(0.14, 0.24)),
        centre=str(rng.choice(["dashed", "solid", "double"], p=[0.5, 0.2, 0.3])),
        dash=(float(mark), float(mark * rng.uniform(1.8, 2.6))),
        edge=bool(rng.random() < 0.8),
        light=(float(np.cos(azimuth)), float(np.sin(azimuth)), float(height)),
        shade=float(rng.uniform(0.5, 0.65)) if sky != 2 else 0.75,
        haze=float(rng.uniform(70.0, 120.0)),
        pattern=int(rng.integers(2**31)),
    )
