"""The record of a decision: what was chosen and why, as one JSON object that can be audited later. Without ROS."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from astra_ros.critics.scoring import PlanScore
from astra_ros.nodes.imagine.decision import Decision
from astra_ros.nodes.imagine.plan_inputs import HeldPlan
from astra_ros.nodes.imagine.settings import NodeSettings
from astra_ros.ranking.imaginer import Imaginer

FORMAT = 1
ANOTHER = "another critic answers its question"


@dataclass(frozen=True)
class Circumstances:
    """What a record tells beside the decision.

    Attributes:
        number: of the request, since the node began.
        at_ns: when it was decided, on the clock of stamps.
        began_s, ended_s: of the request, on the monotonic clock.
        description: the robot's description, or None.
    """

    number: int
    at_ns: int
    began_s: float
    ended_s: float
    settings: NodeSettings
    description: str | None = None


def decision_record(decision: Decision, imaginer: Imaginer, circumstances: Circumstances) -> dict[str, Any]:
    """The record: plain values, ready for JSON. Inputs are named by their SHA-256, lengths of time are in seconds.

    ``critics`` says of each critic that is loaded whether it scored, and else why not. One that did not is missing
    among the numbers of the plans, and not 0 there.
    """
    request, result, card = decision.request, decision.result, imaginer.model.card
    settings, own = circumstances.settings, circumstances.settings.own
    scores = {score.name: score for score in decision.scores}
    choice = decision.choice
    record = {
        "format": FORMAT,
        "number": circumstances.number,
        "at_ns": circumstances.at_ns,
        "outcome": decision.outcome,
        "choice": {
            "plan": choice.name,
            "sha256": _sha256(request.held[choice.name].message.data) if choice.name else "",
            "why": choice.why,
            "reason": choice.reason,
            "best": "" if choice.best is None else choice.best.name,
            "held_s": choice.held_s,
            "withheld": decision.withheld,
            "restamped": decision.restamp,
            "unserved": decision.unserved,
        },
        "plans": [
            _plan(name, held, scores.get(name), decision, circumstances.began_s) for name, held in request.held.items()
        ],
        "critics": _critics(decision, imaginer),
        "inputs": {
            "image_stamp_ns": request.stamp_ns,
            "image_frame": request.frame_id,
            "history_sha256": _sha256(request.history),
            "joints": dict(request.joints_now),
            "base": None if request.base is None else asdict(request.base),
            "robot_description_sha256": _sha256(circumstances.description),
            "goal": dict(request.goal),
            "goal_image_sha256": _sha256(request.goal_frame),
            "goal_position": request.goal_position,
            "obstacles": [each.name for each in imaginer.obstacles],
            "obstacles_sha256": _sha256(json.dumps(_plain([asdict(each) for each in imaginer.obstacles]))),
        },
        "model": {"name": card.name, "sha256": card.sha256},
        "settings": {
            "seed": own.seed,
            "horizon": own.horizon,
            "denoising_steps": own.denoising_steps,
            "strategy": own.strategy,
            "scoring": asdict(settings.scoring),
            "choice": asdict(own.choice),
            "limits": asdict(own.limits),
            "sha256": _sha256(repr(settings)),
        },
        "timing": {
            "image_to_decision_s": circumstances.ended_s - request.received_s,
            "request_s": circumstances.ended_s - circumstances.began_s,
            "parts_s": {} if result is None else dict(result.timings_s),
        },
    }
    return _plain(record)


def as_line(record: Mapping[str, Any]) -> str:
    """A record as JSON in one line."""
    return json.dumps(record, allow_nan=False, separators=(",", ":"))


def _plan(name: str, held: HeldPlan, score: PlanScore | None, decision: Decision, began_s: float) -> dict[str, Any]:
    known: dict[str, Any] = {
        "name": name,
        "source": held.source,
        "sha256": _sha256(held.message.data),
        "age_s": began_s - held.arrived_s,
        "stamp_ns": held.message.stamp_ns,
    }
    if score is None:
        reason = decision.refused.get(name)
        verdict, why = ("not judged", decision.unserved) if reason is None else ("refused", str(reason))
        return known | {"verdict": verdict, "imagined": False, "reasons": [why]}
    critics = {
        critic: {**numbers._asdict(), "penalty": score.penalty(critic), "flag": score.flags.get(critic, "")}
        for critic, numbers in score.critics.items()
    }
    return known | {
        "verdict": score.verdict,
        "imagined": score.breach is None,
        "rank": score.rank,
        "score": score.score,
        "critics": critics,
        "reasons": list(score.reasons),
        "limit": None if score.breach is None else asdict(score.breach),
    }


def _critics(decision: Decision, imaginer: Imaginer) -> dict[str, dict[str, Any]]:
    """Critic -> whether it scored, and why not."""
    result = decision.result
    if result is None:
        return {critic.name: {"scored": False, "why": "nothing was imagined"} for critic in imaginer.critics}
    scored = {name for score in result.scores for name in score.critics}
    said = {}
    for critic in imaginer.critics:
        why = result.missing.get(critic.name, ANOTHER if critic.settings.enabled else "disabled")
        said[critic.name] = {"scored": True, "why": ""} if critic.name in scored else {"scored": False, "why": why}
    return said


def _sha256(value: bytes | str | np.ndarray | None) -> str:
    """Hex digits; '' for nothing. An array counts by its values in C order."""
    if value is None:
        return ""
    if isinstance(value, np.ndarray):
        value = np.ascontiguousarray(value).tobytes()
    return hashlib.sha256(value.encode() if isinstance(value, str) else value).hexdigest()


def _plain(value: Any) -> Any:
    """Values that JSON has. Numbers that are not finite become the strings "nan", "inf" and "-inf"."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
