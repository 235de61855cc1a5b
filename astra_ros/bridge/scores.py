"""Plan scores as messages: one to read, one to compute with."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Float32MultiArray, Header, MultiArrayDimension

from astra_ros.bridge.errors import BridgeError
from astra_ros.critics.scoring import CriticScore, PlanScore
from astra_ros.plans.errors import Breach
from astra_ros.texts import bounded

LEVELS = {"accepted": DiagnosticStatus.OK, "risky": DiagnosticStatus.WARN, "vetoed": DiagnosticStatus.ERROR}


PRELIMINARY = "preliminary"


def scores_to_diagnostics(
    scores: Sequence[PlanScore],
    stamp: Time,
    frame_id: str,
    model: str,
    shared: Mapping[str, str] | None = None,
    chosen: str | None = None,
) -> DiagnosticArray:
    """One status per plan, in plan order.

    A status has the plan's name, its verdict as level, a sentence as message, and these values: ``verdict``, ``rank``
    (1 is best) and ``score``; per critic ``<critic>.raw``, ``.weight``, ``.cost``, ``.penalty`` (what it takes from the
    score) and, where it objects, ``.flag``; ``reason.0``, ``reason.1``, ...; of a plan that breaks a hard limit and was
    therefore not imagined ``limit.kind``, ``.column`` (the joint), ``.time_s``, ``.value``, ``.limit``, ``.unit``;
    ``chosen`` ("true" or "false"); and what all plans share.

    Args:
        stamp, frame_id: the header of the image that the plans were imagined from.
        model: name of the world model, for ``hardware_id``.
        shared: values of all plans: the goal that they were compared with, as ``goal_kind``, and why a critic has no
            numbers, as ``<critic>.missing``; ``preliminary`` = "true" where other scores of the same plans follow.
        chosen: name of the plan that was chosen, '' for none; None where that is not known.
    """
    common = dict(shared or {})
    header = Header(stamp=stamp, frame_id=frame_id)
    statuses = []
    for score in scores:
        choice = {} if chosen is None else {"chosen": str(score.name == chosen).lower()}
        statuses.append(_status(score, len(scores), model, choice | common))
    return DiagnosticArray(header=header, status=statuses)


def is_preliminary(msg: DiagnosticArray) -> bool:
    """Whether other scores of the same plans follow."""
    return any(pair.key == PRELIMINARY for status in msg.status for pair in status.values)


def _status(score: PlanScore, count: int, model: str, more: Mapping[str, str]) -> DiagnosticStatus:
    text = f"{score.verdict}, rank {score.rank + 1} of {count}, score {score.score:.3f}"
    if score.reasons:
        text += ": " + "; ".join(score.reasons)
    values = {"verdict": score.verdict, "rank": str(score.rank + 1), "score": f"{score.score:.6g}"}
    for critic, numbers in score.critics.items():
        named = {**numbers._asdict(), "penalty": score.penalty(critic)}
        values |= {f"{critic}.{what}": f"{number:.6g}" for what, number in named.items()}
        if critic in score.flags:
            values[f"{critic}.flag"] = score.flags[critic]
    values |= {f"reason.{index}": reason for index, reason in enumerate(score.reasons)}
    if score.breach is not None:
        facts = asdict(score.breach).items()
        values |= {f"limit.{what}": f"{fact:.6g}" if isinstance(fact, float) else fact for what, fact in facts}
    values |= more
    return DiagnosticStatus(
        level=LEVELS[score.verdict],
        name=score.name,
        message=bounded(text),
        hardware_id=model,
        values=[KeyValue(key=key, value=bounded(value)) for key, value in values.items()],
    )


def diagnostics_to_scores(msg: DiagnosticArray, topic: str = "scores") -> list[PlanScore]:
    """The inverse of ``scores_to_diagnostics``, to six digits.

    Raises:
        BridgeError: a status is not one of a plan.
    """
    return [_score(status, topic) for status in msg.status]


def _score(status: DiagnosticStatus, topic: str) -> PlanScore:
    values = {pair.key: pair.value for pair in status.values}
    critics = [key.removesuffix(".raw") for key in values if key.endswith(".raw")]
    try:
        return PlanScore(
            name=status.name,
            rank=int(values["rank"]) - 1,
            score=float(values["score"]),
            verdict=values["verdict"],
            critics={
                critic: CriticScore(*(float(values[f"{critic}.{what}"]) for what in ("raw", "weight", "cost")))
                for critic in critics
            },
            reasons=tuple(text for key, text in values.items() if key.startswith("reason.")),
            penalties={critic: float(values[f"{critic}.penalty"]) for critic in critics},
            flags={critic: values[f"{critic}.flag"] for critic in critics if f"{critic}.flag" in values},
            breach=_breach(values) if "limit.kind" in values else None,
        )
    except (KeyError, ValueError) as error:
        raise BridgeError(
            f"status '{status.name}' is not the score of a plan ({error!r})",
            thing=topic,
            cure="give the scores that an imagine node publishes",
        ) from error


def _breach(values: Mapping[str, str]) -> Breach:
    time_s, value, limit = (float(values[f"limit.{what}"]) for what in ("time_s", "value", "limit"))
    return Breach(values["limit.kind"], values["limit.column"], time_s, value, limit, values["limit.unit"])


def scores_to_matrix(scores: Sequence[PlanScore]) -> Float32MultiArray:
    """The numbers, plan x critic: column 0 is the score, the others are costs of critics, NaN for a missing cost.

    The labels of the two dimensions list their rows and columns: ``"plan: candidates/0, candidates/1"`` and
    ``"critic: score, goal, collision"``.
    """
    critics = list(dict.fromkeys(critic for score in scores for critic in score.critics))
    msg = Float32MultiArray()
    for score in scores:
        costs = [score.critics[name].cost if name in score.critics else math.nan for name in critics]
        msg.data += array("f", [score.score, *costs])
    plans, columns = ", ".join(score.name for score in scores), len(critics) + 1
    msg.layout.dim = [
        MultiArrayDimension(label=f"plan: {plans}", size=len(scores), stride=len(scores) * columns),
        MultiArrayDimension(label="critic: " + ", ".join(["score", *critics]), size=columns, stride=columns),
    ]
    return msg
