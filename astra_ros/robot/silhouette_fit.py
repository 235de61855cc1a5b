"""Whether the robot's silhouette, drawn from its description, lies where a camera image has edges.

Only the directions of edges count: along the silhouette, the image's structure tensor (Foerstner and Guelch 1987; Di
Zenzo 1986 for colour) is compared with the silhouette's normal. Colours of meshes, the light and what the robot looks
like inside do not matter. The same is done for the silhouette shifted by some pixels. Where the camera, the description
or the joint states are wrong, the edges agree better with a shifted silhouette, or with none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

REACH = 0.1  # largest shift that is tried, along each side of the image, as a share of its longer side
MOST_MISFIT = 10.0
NEAR_LIMIT = 1.3  # times the limit: a shifted robot does not fit quite as well as one in its place
LEAST_ENERGY = 1e-6  # (steps of brightness, of 1, per pixel)^2; an image below has no edges, as where it is black
# The silhouette's edge in the image must be as long as this, as a share of the image's longer side, to be judged.
LEAST_EDGE = 0.5


@dataclass(frozen=True, eq=False)
class EdgeAgreement:
    """How well the edges of an image, or of several, agree with a silhouette at each shift.

    Attributes:
        agreeing: float32 [2 R + 1, 2 R + 1] by shift (v, u), from -R to R pixels: pixels of edge that agree.
        edge: the same shape: pixels of the silhouette's edge that lie in the image.
        side: the image's longer side, pixels.
        has_edges: whether the image has edges at all; a dark or covered one has not.
    """

    agreeing: np.ndarray
    edge: np.ndarray
    side: int
    has_edges: bool

    @property
    def in_view(self) -> bool:
        """Whether enough of the silhouette's edge lies in the image."""
        middle = self.edge.shape[0] // 2
        return bool(self.edge[middle, middle] >= LEAST_EDGE * self.side)


@dataclass(frozen=True)
class SilhouetteFit:
    """The result over some images.

    Attributes:
        misfit: the inverse of how far the agreement without a shift stands out of that over all shifts, in their
            standard deviations: 0.2 where it stands out by five of them, `MOST_MISFIT` where it does not. The contrast
            of the image and a background full of edges change all shifts alike.
        best_misfit: the same where the silhouette is shifted to where it fits best.
        shift: (right, down) pixels from the silhouette to where it fits best.
        agreement: share of the silhouette's edge that agrees there, 0 to 1.
        reach: pixels of the largest shift that was tried.
    """

    misfit: float
    best_misfit: float
    shift: tuple[int, int]
    agreement: float
    reach: int

    def in_words(self, limit: float) -> str:
        """Where the robot fits better, given the largest misfit of one that fits."""
        right, down = self.shift
        if self.best_misfit > NEAR_LIMIT * limit or max(abs(right), abs(down)) >= self.reach:
            return f"its outline fits nowhere within {self.reach} px"
        if not (right or down):
            return "parts of its outline are elsewhere"
        ways = [f"{abs(right)} px to the {'right' if right > 0 else 'left'}"] * bool(right)
        ways += [f"{abs(down)} px {'lower' if down > 0 else 'higher'}"] * bool(down)
        return f"its outline is seen {' and '.join(ways)}"


def edge_agreement(image: np.ndarray, coverage: np.ndarray) -> EdgeAgreement:
    """Compare one image with one silhouette.

    Args:
        image: uint8 [h, w, 3].
        coverage: uint8 [h, w], channel `COVERAGE` of the robot's render: 255 where the robot covers a pixel.
    """
    side = max(coverage.shape)
    reach = max(2, round(REACH * side))
    across, down = _gradient(coverage[..., None])
    across, down = across[..., 0], down[..., 0]
    strength = np.sqrt(across * across + down * down) + 1e-9
    normals = np.stack([across * across, 2 * across * down, down * down], axis=-1) / strength[..., None]
    across, down = _gradient(image)
    tensor = np.stack([(a * b).sum(axis=-1) for a, b in ((across, across), (across, down), (down, down))], axis=-1)
    energy = tensor[..., 0] + tensor[..., 2]
    has_edges = bool(energy.mean() > LEAST_ENERGY)
    # Edges as strong as the image's mean count half, weaker ones less: noise has no say, in the dark neither.
    tensor /= (energy + max(float(energy.mean()), LEAST_ENERGY))[..., None]
    around = ((reach, reach), (reach, reach))
    agreeing = cv2.matchTemplate(np.pad(tensor, (*around, (0, 0))), normals, cv2.TM_CCORR)
    inside = np.pad(np.ones(coverage.shape, np.float32), around)
    return EdgeAgreement(agreeing, cv2.matchTemplate(inside, strength, cv2.TM_CCORR), side, has_edges)


def silhouette_fit(images: Sequence[EdgeAgreement]) -> SilhouetteFit:
    """The fit over one or more images of the same size."""
    agreeing = np.sum([each.agreeing for each in images], axis=0)
    share = agreeing / np.maximum(np.sum([each.edge for each in images], axis=0), 1e-6)
    reach = len(share) // 2
    down, right = np.unravel_index(np.argmax(share), share.shape)
    best = float(share[down, right])
    mean, spread = float(share.mean()), float(share.std())

    def misfit(at: float) -> float:
        return min(spread / (at - mean), MOST_MISFIT) if at - mean > 1e-6 else MOST_MISFIT

    return SilhouetteFit(
        misfit(float(share[reach, reach])), misfit(best), (int(right) - reach, int(down) - reach), best, reach
    )


def _gradient(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(Along u, along v) of an image uint8 [h, w, c], float32 [h, w, c]: steps of brightness 0 to 1 per pixel."""
    values = image.astype(np.float32) / 255.0
    # Sobel, whose sum over a straight step is the step.
    made = [
        cv2.Sobel(values, cv2.CV_32F, *way, scale=1 / 8, borderType=cv2.BORDER_REPLICATE) for way in ((1, 0), (0, 1))
    ]
    across, down = (each.reshape(image.shape) for each in made)
    return across, down
