"""The candidate plans, and the fate of each."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from astra_ros.nodes.imagine.message_readers import PlanMessage
from astra_ros.nodes.imagine.settings import PlanTopicSettings
from astra_ros.plans.joint_plan import JointPlan


@dataclass(eq=False)
class HeldPlan:
    """A candidate, which arrived at ``arrived_s`` on the monotonic clock.

    Attributes:
        asked: it is in a request, or was in one that was served.
        judged: a request with it was served: it was scored, or refused with a reason.
        lost: it is counted as never judged.
        gone: a newer one of its source took its place.
        refused: a request refused it, and that was counted and logged.
    """

    source: str
    arrived_s: float
    message: PlanMessage
    asked: bool = False
    judged: bool = False
    lost: bool = False
    gone: bool = False
    refused: bool = False
    handed_on: bool = False


@dataclass
class Fate:
    """The fates of the plans of one source, counted.

    Attributes:
        pushed_out: plans that newer ones replaced before they were in a request.
        too_old: plans that became older than max_age_s before they were in a request.
    """

    received: int = 0
    judged: int = 0
    pushed_out: int = 0
    too_old: int = 0

    @property
    def never_judged(self) -> int:
        return self.pushed_out + self.too_old


class PlanInputs:
    """The last plans of every source. Safe to use from several threads.

    `lost` is told the reason when a plan is lost unjudged; reasons of one source and one kind are equal.
    """

    def __init__(
        self, sources: Mapping[str, PlanTopicSettings], lost: Callable[[str], None], clock: Callable[[], float]
    ) -> None:
        self._sources, self._lost, self._clock = dict(sources), lost, clock
        self._lock = threading.RLock()
        self._held: dict[str, deque[HeldPlan]] = {name: deque() for name in self._sources}
        self._fates = {name: Fate() for name in self._sources}

    def on_plan(self, source: str, message: PlanMessage) -> HeldPlan:
        settings = self._sources[source]
        with self._lock:
            self._age()
            made = HeldPlan(source, self._clock(), message)
            held = self._held[source]
            held.append(made)
            self._fates[source].received += 1
            while len(held) > settings.keep:
                out = held.popleft()
                out.gone = True
                if not out.asked:
                    self._lose(out, "pushed_out")
        return made

    def fresh(self) -> list[tuple[HeldPlan, int]]:
        """(candidate, its index in its source) of those that are not too old, oldest first."""
        with self._lock:
            self._age()
            held_plans = [pair for held in self._held.values() for pair in enumerate(held)]
            fresh = [(each, index) for index, each in held_plans if not self.too_old(each)]
        return sorted(fresh, key=lambda pair: pair[0].arrived_s)

    def too_old(self, held: HeldPlan) -> bool:
        """Whether a candidate is older than its source allows."""
        return self._clock() - held.arrived_s > self._sources[held.source].max_age_s

    def ask(self, plans: Iterable[HeldPlan]) -> None:
        """Note that a request with these begins."""
        with self._lock:
            for each in plans:
                each.asked = True

    def answer(self, plans: Iterable[HeldPlan], judged: bool) -> None:
        """Note that the request with these is over, and whether it judged them."""
        with self._lock:
            for each in plans:
                if judged and not each.judged:
                    each.judged = True
                    self._fates[each.source].judged += 1
                elif not each.judged:
                    each.asked = False  # they wait for the next one
                    if each.gone:
                        self._lose(each, "pushed_out")

    @property
    def held(self) -> dict[str, int]:
        """Plan source name -> candidates that are not too old."""
        count = Counter(each.source for each, _ in self.fresh())
        return {name: count[name] for name in self._sources}

    @property
    def positions(self) -> dict[str, dict[str, np.ndarray]]:
        """Topic -> joint -> all its positions in the plans that are held, too old or not."""
        found: dict[str, dict[str, list[np.ndarray]]] = {}
        with self._lock:
            plans = [
                (self._sources[name].topic, each.message.plan) for name, held in self._held.items() for each in held
            ]
        for topic, plan in plans:
            if not isinstance(plan, JointPlan):
                continue
            for joint, column in zip(plan.joint_names, plan.positions.T):
                found.setdefault(topic, {}).setdefault(joint, []).append(column)
        return {
            topic: {joint: np.concatenate(parts) for joint, parts in joints.items()} for topic, joints in found.items()
        }

    @property
    def any(self) -> bool:
        """Whether any plan is held, too old or not."""
        with self._lock:
            return any(self._held.values())

    @property
    def fates(self) -> dict[str, Fate]:
        """Plan source name -> the fates of its plans so far."""
        with self._lock:
            self._age()
            return {name: Fate(**vars(fate)) for name, fate in self._fates.items()}

    @property
    def topics(self) -> str:
        return ", ".join(source.topic for source in self._sources.values())

    def _age(self) -> None:
        for held in self._held.values():
            for each in held:
                if not each.asked and not each.lost and self.too_old(each):
                    self._lose(each, "too_old")

    def _lose(self, plan: HeldPlan, how: str) -> None:
        if plan.lost:
            return
        plan.lost = True
        fate, settings = self._fates[plan.source], self._sources[plan.source]
        setattr(fate, how, getattr(fate, how) + 1)
        if how == "pushed_out":
            why = (
                f"newer ones took their places before a request could take them, as while the model loads; raise "
                f"{plan.source}.keep, which is {settings.keep}, or send fewer in a row"
            )
        else:
            why = (
                f"they became older than {plan.source}.max_age_s, which is {settings.max_age_s:g} s, before a request "
                "could take them; see on /diagnostics why there was no request"
            )
        self._lost(f"{settings.topic}: some plans of '{plan.source}' are never judged: {why}")
