"""Scores of plans without imagination: the world model is not asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from astra_ros.critics import DEFAULT_CRITICS, CriticInput, CriticSettings, load_critic
from astra_ros.critics.scoring import score_plans
from astra_ros.errors import UserError
from astra_ros.inference.conditioning import Conditioning
from astra_ros.inference.imagination import Imagination
from astra_ros.inference.world_model import WorldModel
from astra_ros.plans.plan import Plan
from astra_ros.plans.start import RobotNow
from astra_ros.ranking.imaginer import Imaginer, RankingSettings, Result

# Of the critics that the imagine node loads by itself, those that read the plan alone.
PLAN_CRITICS = tuple(name for name in DEFAULT_CRITICS if not load_critic(name).reads_imagination)


class PlanAlone(Imaginer):
    """An `Imaginer` that imagines nothing: its results have one empty latent for each step.

    All its critics must be such that read nothing imagined.
    """

    def __init__(
        self, model: WorldModel, settings: RankingSettings, critics: Mapping[str, CriticSettings] | None = None
    ) -> None:
        super().__init__(model, settings, critics)
        assert not any(critic.reads_imagination for critic in self.critics), settings.critics

    def score(
        self,
        history: np.ndarray,
        plans: Sequence[Plan],
        motion_now: Mapping[str, float] | RobotNow | None = None,
        goal_frame: np.ndarray | None = None,
        seed: int = 0,
        goal_position: np.ndarray | None = None,
        preliminary: Callable[[Result], None] | None = None,
    ) -> Result:
        """As ``Imaginer.score``; history, goals and seed are not looked at.

        Raises:
            NothingToImagine: no plan can be used.
            UserError: a critic cannot score.
        """
        prepared = self.prepare(plans, motion_now)
        count, rows, _ = prepared.motion.shape
        nothing = Imagination(np.zeros((count, rows - 1, 1, 1, 1)), np.zeros((count, rows - 1)))
        read = CriticInput(
            nothing,
            prepared.motion,
            prepared.space,
            self.model.card.dt_s,
            np.zeros((1, 1, 1)),
            plans=prepared.plans,
            robot_description=self.robot_description,
            held_joints=self.model.card.held_joints.get(prepared.space.name, {}),
            obstacles=self.obstacles,
        )
        scores, missing = score_plans([plan.name for plan in prepared.plans], read, self.critics, self.scoring)
        if missing:  # or plans would be vetoed for want of a package
            name, why = next(iter(missing.items()))
            raise UserError(why, thing=f"critic '{name}'")
        conditioning = Conditioning(prepared.space.name, prepared.space.encode(prepared.motion))
        return Result(prepared, nothing, history[-1], conditioning, read, scores)
