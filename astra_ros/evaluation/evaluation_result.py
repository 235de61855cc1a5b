"""The result file of `astra eval`: figures of action spaces, and means over worlds. Fields are the keys in JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from astra_ros.evaluation.contact_calibration import ReliabilityBin
from astra_ros.evaluation.metrics import mean_over_worlds
from astra_ros.evaluation.ranking_result import OverallRanking
from astra_ros.evaluation.space_figures import REAL, SpaceFigures


def _mean(title: str, form: str, value_of: Callable[[SpaceFigures], float | None]) -> Any:
    """A field of OverallFigures: its title and format in reports, and the value that it is the mean of."""
    return field(metadata={"title": title, "form": form, "value_of": value_of})


@dataclass(frozen=True)
class OverallFigures:
    """Means over worlds, each the mean of its action spaces; None where one of them was not measured.

    Scores are made from decoded frames, so some figures are also stated of those.
    """

    worlds: list[str]
    ceiling_psnr_db: float | None = _mean(
        "autoencoder ceiling, PSNR at 16 frames", "{:.2f} dB", lambda f: f.at_goal(f.psnr_db, "ceiling")
    )
    gain_over_copy_db: float | None = _mean(
        "model over copy of the last frame, PSNR at 16", "{:+.2f} dB", lambda f: f.gain_over_copy_db.mean
    )
    gain_over_copy_decoded_db: float | None = _mean(
        "the same, decoded alone", "{:+.2f} dB", lambda f: f.gain_over_copy_db.decoded
    )
    lost_when_shuffled_db: float | None = _mean(
        "PSNR lost with another plan's motion", "{:.2f} dB", lambda f: f.lost_when_shuffled_db
    )
    ssim: float | None = _mean("SSIM at 16", "{:.3f}", lambda f: f.at_goal(f.ssim, "model"))
    ssim_decoded: float | None = _mean("the same, decoded alone", "{:.3f}", lambda f: f.at_goal(f.ssim, "decoded"))
    lpips: float | None = _mean("LPIPS at 16", "{:.3f}", lambda f: f.at_goal(f.perceptual.lpips, "model"))
    lpips_copy: float | None = _mean(
        "the same of a copy of the last frame", "{:.3f}", lambda f: f.at_goal(f.perceptual.lpips, "copy")
    )
    fvd: float | None = _mean(
        "FVD of the first frames, 16 at most", "{:.0f}", lambda f: (f.perceptual.fvd or {}).get("model")
    )
    near: float | None = _mean(
        "frames whose pose is near the true one, of the first 16", "{:.0%}", lambda f: f.near("model")
    )
    near_decoded: float | None = _mean("the same, decoded alone", "{:.0%}", lambda f: f.near("decoded"))
    near_real: float | None = _mean("the same, real frames", "{:.0%}", lambda f: f.near(REAL))
    near_shuffled: float | None = _mean("the same, another plan's motion", "{:.0%}", lambda f: f.near("shuffled"))
    style_told_db: float | None = _mean(
        "in another style: PSNR gained by an image of it, at 16", "{:+.2f} dB", lambda f: f.style_gain("gain_db")
    )
    style_told_over_matched_db: float | None = _mean(
        "the same, over matching its colours alone", "{:+.2f} dB", lambda f: f.style_gain("gain_over_matched_db")
    )
    drift_db: float | None = _mean("PSNR lost from frame 16 to 64", "{:.2f} dB", lambda f: f.drift_db)

    @classmethod
    def of(cls, spaces: Mapping[str, SpaceFigures]) -> OverallFigures:
        def mean(value_of: Callable[[SpaceFigures], float | None]) -> float | None:
            found = [(each.world, value) for each in spaces.values() if (value := value_of(each)) is not None]
            return mean_over_worlds(found) if len(found) == len(spaces) else None

        worlds = sorted({each.world for each in spaces.values()})
        return cls(worlds, *(mean(field.metadata["value_of"]) for field in fields(cls)[1:]))

    def rows(self) -> list[list[str]]:
        """Title and value of what was measured."""
        values = [(field.metadata, getattr(self, field.name)) for field in fields(self)[1:]]
        return [[about["title"], about["form"].format(value)] for about, value in values if value is not None]


@dataclass(frozen=True)
class EvaluationResult:
    """The result file of `astra eval`.

    Attributes:
        style_sha256: of the model's style weights, where they were used.
        ranking: of the result file of `astra rank`, where it was given.
        contact_reliability: of the same file: robot -> reliability curve of contact.
    """

    model: str
    sha256: str
    data: str
    dt_s: float
    overall: OverallFigures
    spaces: dict[str, SpaceFigures]
    style_sha256: str | None = None
    ranking: OverallRanking | None = None
    contact_reliability: dict[str, list[ReliabilityBin]] | None = None
