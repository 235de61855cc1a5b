"""Events whose probability the model's heads read from each imagined frame."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from astra_ros.critics.base import Critic, CriticInput, CriticResult

_ROUNDING = 1e-3  # a probability may miss 0..1 by this and is then clipped


class EventCritic(Critic):
    """Probability of an event in the plan's most dangerous interval: max_k p_k.

    The model's head reads p_k from imagined frame k, for the interval that ends there. The critic takes the largest
    p_k and not 1 - prod_k (1 - p_k): an event lasts for several intervals, so these are far from independent, and a
    product would turn sixteen harmless 5 % into a veto. The model's calibration, if it has one, then makes of that
    the share of such plans in which the event happens. A subclass names the `outcome` and says it in `words`; its
    settings have `risky_above` and may have `veto_above`.
    """

    outcome: ClassVar[str]
    words: ClassVar[str]
    unit = "probability"

    def missing(self, inp: CriticInput) -> str | None:
        if self.outcome not in inp.imagination.outcomes:
            return f"the model has no '{self.outcome}' outcome for this robot"
        return None

    def score(self, inp: CriticInput) -> CriticResult:
        given = inp.imagination.outcomes[self.outcome].astype(np.float64)
        valid = (given >= -_ROUNDING) & (given <= 1.0 + _ROUNDING)  # False for NaN
        each = np.clip(given, 0.0, 1.0)
        chance = np.where(valid, each, np.nan).max(axis=1)  # NaN stays NaN
        fitted_for = ""
        if calibration := inp.calibrations.get(self.outcome):
            chance = calibration(chance)
            if calibration.horizon not in (0, inp.imagination.horizon):
                fitted_for = f" (calibrated on plans of {calibration.horizon} frames)"
        worst_s = (np.where(valid, each, -1.0).argmax(axis=1) + 1) * inp.dt_s
        bad = np.isnan(chance)
        reasons = tuple(
            f"the model gave a probability to {self.words} outside 0 to 1"
            if broken
            else f"{100 * p:.0f} % chance to {self.words}, worst at {when:.2f} s{fitted_for}"
            for p, when, broken in zip(chance, worst_s, bad)
        )
        veto = bad | (chance > getattr(self.settings, "veto_above", 1.0))
        return CriticResult(chance, chance, reasons, veto, chance > self.settings.risky_above)
