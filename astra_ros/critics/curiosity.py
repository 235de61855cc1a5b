"""How much of what the robot will see can the model not predict?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.critics.base import Critic, CriticInput, CriticResult, CriticSettings
from astra_ros.settings import setting

WHOLE_TURN = 3.0  # new space of a camera with a view of 90 degrees that turns round once


@dataclass(frozen=True)
class CuriositySettings(CriticSettings):
    enabled: bool = setting(False, "whether this critic scores plans: for robots that explore")
    scale: float = setting(
        WHOLE_TURN,
        "new space in view, as a multiple of what is in view now, times the mean expected RMS latent error, that costs "
        "nothing; at 3 a camera turns round once and the model expects to be as wrong as images differ",
        0.001,
        100.0,
    )


class CuriosityCritic(Critic):
    """Rewards space that comes into view for the first time, and of which the model cannot know what it holds.

    gain = new space * error. The new space follows from the plan (`camera/new_space.py`). The error is the expected RMS
    latent error, averaged over the imagined frames: the model predicts well what it has seen before (curiosity as in
    Pathak et al., arXiv 1705.05363, but with the expected error instead of the measured one). cost = 1 - gain / scale,
    at least 0. Where the camera's way is not known, all plans count as a whole turn. The `uncertainty` critic says the
    opposite of the error, with a tenth of the weight.
    """

    name = "curiosity"
    settings_class = CuriositySettings
    role = "goal"
    unit = "views * latent RMS error"

    def score(self, inp: CriticInput) -> CriticResult:
        error = inp.imagination.mean(inp.imagination.uncertainty)
        new = np.full(len(error), WHOLE_TURN) if inp.new_space is None else inp.new_space
        gain = new * error
        cost = np.maximum(1.0 - gain / self.settings.scale, 0.0)
        reasons = tuple(
            f"new space as large as {views:.1f} times what is in view, expected latent error {value:.2f}"
            for views, value in zip(new, error)
        )
        return CriticResult(gain, cost, reasons)
