"""The rule for plans whose ``header.stamp`` names a moment: refuse, restamp or pass.

A winner is imagined from where the robot is when it is handed on, so that is when it must begin. Its stamp tells
its executor otherwise. A ``joint_trajectory_controller`` (ros2_control) begins a plan with stamp 0 at once, waits for
a stamp in the future, leaves out the points of one in the past, and refuses a plan that would be over by now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from astra_ros.nodes.imagine.message_readers import NANOSECONDS, PlanMessage
from astra_ros.plans.errors import PlanError

REFUSE, RESTAMP, PASS = RULES = ("refuse", "restamp", "pass")
ANOTHER_CLOCK_S = 3600.0  # a stamp that far away was hardly made with this node's clock


@dataclass(frozen=True)
class PlanStamps:
    """The rule. Stamps of 0, and those within ``tolerance_s`` of now, are always handed on as they came.

    ``future`` and ``past`` are "refuse", "restamp" (handed on with the stamp 0, begin at once) or "pass" (as it came).
    """

    future: str
    past: str
    tolerance_s: float

    def refusal(self, stamp_ns: int, now_ns: int) -> str:
        """Why a plan with this stamp must not be used, or ''."""
        away_s = self._away_s(stamp_ns, now_ns)
        if away_s > 0 and self.future == REFUSE:
            text = f"its header.stamp lies {away_s:.1f} s in the future, and a controller would wait until then"
            cure = "future_stamp"
        elif away_s < 0 and self.past == REFUSE:
            text = f"its header.stamp lies {-away_s:.1f} s in the past, and a controller would leave its beginning out"
            cure = "past_stamp"
        else:
            return ""
        if abs(away_s) > ANOTHER_CLOCK_S or not now_ns:  # or /clock has not started
            text += f"; this node's clock says {now_ns / NANOSECONDS:.3f} s, so check use_sim_time of both nodes"
        return (
            f"{text}; send plans with the stamp 0, or set the parameter {cure} to '{RESTAMP}' to have them begin when "
            f"they are handed on, or to '{PASS}'"
        )

    def restamps(self, stamp_ns: int, now_ns: int) -> bool:
        """Whether a plan with this stamp is handed on with the stamp 0."""
        away_s = self._away_s(stamp_ns, now_ns)
        return away_s > 0 and self.future == RESTAMP or away_s < 0 and self.past == RESTAMP

    def _away_s(self, stamp_ns: int, now_ns: int) -> float:
        """Seconds from now to the stamp; 0 where that is now."""
        away_s = (stamp_ns - now_ns) / NANOSECONDS
        return 0.0 if not stamp_ns or abs(away_s) <= self.tolerance_s else away_s


def stamp_refusals(held: Mapping[str, PlanMessage], rule: PlanStamps, now_ns: int) -> dict[str, PlanError]:
    """Plan name -> why its stamp forbids its use, of the held plans whose stamp does."""
    reasons = {name: rule.refusal(each.stamp_ns, now_ns) for name, each in held.items()}
    return {name: PlanError(reason, thing=f"plan '{name}'") for name, reason in reasons.items() if reason}
