"""How good imagined video of one action space is. Fields are the keys in JSON.

The rows of a figure are what was compared with the recorded frames, see ROWS. `ByHorizon` are values by the number of
frames ahead, as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from astra_ros.evaluation.metrics import Interval
from astra_ros.evaluation.moving_figures import MovingThing, moving_table
from astra_ros.evaluation.results import FLAT

ByHorizon = dict[str, float]

HORIZONS = (1, 4, 8, 16, 32, 64)
DRIFT = (16, 64)  # frames between which drift is stated
FOLLOWED = 16  # frames whose poses count, from the first on
GOAL_HORIZON = 16  # frames ahead, of the figures over worlds
ROWS = {
    "ceiling": "autoencoder alone",
    "model": "model",
    "decoded": "model, decoded alone",
    "shuffled": "another plan's motion",
    "geometry": "moved by geometry",
    "copy": "copy the last frame",
}
REAL = "real frames"
STYLE_ROWS = {
    "ceiling": "autoencoder alone",
    "told": "with an image of it",
    "matched": "colours matched alone",
    "untold": "without an image",
    "copy": "copy the last frame",
}
USABLE_PROBE = 0.5  # share of the poses, or things, in real frames that a probe or detector must find


@dataclass(frozen=True)
class StillFigures:
    """Frames that are left out, because nothing had changed: their share, and the model's PSNR there."""

    share: float
    psnr_db: float | None


@dataclass(frozen=True, kw_only=True)
class PoseFigures:
    """How far poses in frames are from the true ones, and the share of the frames in which they are near."""

    mean_error_m: float
    mean_error_rad: float | None = None
    near: float


@dataclass(frozen=True)
class Gain:
    """What one row is better than another, dB, at a horizon; `decoded` the same of the decoded frames alone."""

    horizon: int
    mean: float
    interval_95: Interval
    decoded: float | None = None


@dataclass(frozen=True)
class EventFigures:
    """An outcome head's probabilities against what happened.

    Attributes:
        base_rate: share of the clips in which it happens.
        auroc, auroc_frames: over clips and over frames; None where it happens in all of them or in none.
        mean_probability, mean_frequency: over frames.
    """

    base_rate: float
    auroc: float | None
    auroc_frames: float | None
    mean_probability: float
    mean_frequency: float


@dataclass(frozen=True)
class SeenFigures:
    """PSNR of a moving camera's pixels that the last observed frame shows too, and of the other pixels.

    The reprojection of that frame, with a fixed depth at every pixel, says which pixels were seen. A clip counts where
    it has enough pixels of a kind. A horizon without such a clip is left out.

    Attributes:
        share: of the pixels that were seen.
        seen_db, unseen_db: row -> PSNR.
    """

    share: ByHorizon
    seen_db: dict[str, ByHorizon]
    unseen_db: dict[str, ByHorizon]

    def quality(self) -> list[list[str]]:
        """PSNR of each row, seen and unseen, by the number of frames ahead, under a head."""
        head = [
            "PSNR dB of pixels that were seen (share)",
            *(f"{h} frames ({share:.0%})" for h, share in self.share.items()),
        ]
        return [head] + [
            [f"{ROWS[row]}, {which}", *(f"{values[h]:.2f}" if h in values else "-" for h in self.share)]
            for which, rows in (("seen", self.seen_db), ("not seen", self.unseen_db))
            for row, values in rows.items()
        ]


@dataclass(frozen=True)
class StyleFigures:
    """PSNR against scenes recorded in a second style, and what an image of that style gains."""

    clips: int
    psnr_db: dict[str, ByHorizon]
    gain_db: Gain
    gain_over_matched_db: Gain

    def quality(self) -> list[list[str]]:
        """PSNR of each row by the number of frames ahead, under a head."""
        head = [
            f"in another style, {self.clips} clips, decoded alone: PSNR dB",
            *(f"{h} frames" for h in self.psnr_db["told"]),
        ]
        return [head] + [
            [STYLE_ROWS[row], *(f"{value:.2f}" for value in values.values())] for row, values in self.psnr_db.items()
        ]


@dataclass(frozen=True)
class PerceptualFigures:
    """LPIPS by row and horizon, and FVD by row, where their weights were given; metric -> its `WeightsFile`s."""

    lpips: dict[str, ByHorizon] | None = None
    fvd: dict[str, float] | None = None
    fvd_videos: int | None = None
    fvd_frames: int | None = None
    perceptual_weights: dict[str, list[dict]] | None = None


@dataclass(frozen=True, kw_only=True)
class SpaceFigures:
    """The figures of one action space.

    Attributes:
        drawn, reprojected: imagined with robot renders, with camera poses.
        psnr_curve_db: of every frame ahead.
        following: row -> poses read from the first `following_frames` frames; None without a pose probe.
        drift_db: PSNR lost from frame 16 to 64; None for shorter clips.
        latent_rmse, uncertainty_correlation: of the model's latents, and of its uncertainty with their error.
        events: outcome -> its figures.
        object_error_m: distance of the imagined object from the true one, in the plane.
        style: None where no scene was recorded in a second style, or the model cannot restyle.
        seen: None where the camera stands still, or its way is not known.
        moving: moving thing -> what is left of it in imagined frames; None where the camera moves or nothing did.
    """

    world: str
    drawn: bool
    reprojected: bool
    clips: int
    still: StillFigures
    psnr_db: dict[str, ByHorizon]
    ssim: dict[str, ByHorizon]
    psnr_curve_db: dict[str, list[float]]
    following: dict[str, PoseFigures] | None = None
    following_frames: int | None = None
    perceptual: PerceptualFigures = field(default=PerceptualFigures(), metadata=FLAT)
    gain_over_copy_db: Gain
    drift_db: float | None = None
    latent_rmse: ByHorizon
    uncertainty_correlation: float
    events: dict[str, EventFigures]
    object_error_m: ByHorizon | None = None
    style: StyleFigures | None = None
    seen: SeenFigures | None = None
    moving: dict[str, MovingThing] | None = None

    def at_goal(self, metric: Mapping[str, ByHorizon] | None, row: str) -> float | None:
        """A row of a metric at the horizon of the figures over worlds."""
        return (metric or {}).get(row, {}).get(str(GOAL_HORIZON))

    def near(self, row: str) -> float | None:
        """Share of the followed frames whose pose is near the true one."""
        return self.following[row].near if self.following and self.following_frames == FOLLOWED else None

    @property
    def lost_when_shuffled_db(self) -> float | None:
        model, shuffled = (self.at_goal(self.psnr_db, row) for row in ("model", "shuffled"))
        return None if model is None or shuffled is None else model - shuffled

    def style_gain(self, name: str) -> float | None:
        gain = getattr(self.style, name) if self.style else None
        return gain.mean if gain and gain.horizon == GOAL_HORIZON else None

    def quality(self) -> list[list[str]]:
        """PSNR and SSIM of each row by the number of frames ahead, under a head."""
        head = ["PSNR dB (SSIM)", *(f"{h} frames" for h in self.psnr_db["model"])]
        return [head] + [
            [ROWS[row], *(f"{psnr[h]:.2f} ({self.ssim[row][h]:.2f})" for h in psnr)]
            for row, psnr in self.psnr_db.items()
        ]

    def moving_table(self) -> list[list[str]]:
        return moving_table(self.moving or {}, ROWS)

    def table(self, space: str) -> str:
        lines = [f"{space}: {self.clips} held-out clips"]
        lines += [f"  {row:22}" + "".join(f"{cell:>15}" for cell in cells) for row, *cells in self.quality()]
        if self.still.share:
            share = f"{self.still.share:.1%} of the frames"
            reached = f"the model reaches {self.still.psnr_db:.1f} dB there"
            lines.append(f"  left out, since nothing had changed: {share}; {reached}")
        if self.following:
            poses = ", ".join(
                f"{ROWS.get(row, row)} {pose.mean_error_m * 100:.1f} cm ({pose.near:.0%} near)"
                for row, pose in self.following.items()
            )
            lines.append(f"  pose read from the first {self.following_frames} frames: {poses}")
            if (seen := self.following[REAL].near) < USABLE_PROBE:
                lines.append(
                    f"  (the probe finds only {seen:.0%} of the poses in real frames, so its figures say little; "
                    "train it on more episodes)"
                )
        for event, values in self.events.items():
            tells = ", ".join(
                f"AUROC over {what} {value:.2f}"
                for value, what in ((values.auroc, "clips"), (values.auroc_frames, "frames"))
                if value is not None
            )
            tells = tells or f"in {values.base_rate:.0%} of the clips, so nothing to tell apart"
            happens = f"it happens in {values.mean_frequency:.3f} of the frames"
            lines.append(f"  {event}: {tells}; mean probability {values.mean_probability:.3f} where {happens}")
        if self.style:
            lines.append(f"  in another style, {self.style.clips} clips, decoded alone, PSNR dB:")
            lines += [
                f"  {STYLE_ROWS[row]:22}" + "".join(f"{value:8.2f}{'':7}" for value in values.values())
                for row, values in self.style.psnr_db.items()
            ]
        if self.seen:
            lines += [f"  {row:40}" + "".join(f"{cell:>17}" for cell in cells) for row, *cells in self.seen.quality()]
        if self.moving:
            lines += [f"  {row:44}" + "".join(f"{cell:>23}" for cell in cells) for row, *cells in self.moving_table()]
            lines += [
                f"  (the detector finds '{name}' in only {thing.found_real:.0%} of real frames: its figures say little)"
                for name, thing in self.moving.items()
                if thing.found_real is not None and thing.found_real < USABLE_PROBE
            ]
        if self.drift_db is not None:
            lines.append(f"  drift: {self.drift_db:.2f} dB lost from frame {DRIFT[0]} to {DRIFT[1]}")
        return "\n".join(lines)
