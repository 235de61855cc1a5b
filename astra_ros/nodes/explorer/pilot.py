"""When the explorer imagines, moves and stands, without ROS and without a thread of its own."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from astra_ros.nodes.explorer.core import NextMotion

RETRY_S = 2.0  # of real time, after a decision failed


class Base(Protocol):
    """What carries out and shows what a pilot wants."""

    def stand(self) -> None:
        """Stop the base."""

    def move(self, ahead: float, turn: float, now_s: float) -> bool:
        """Drive with a speed (m/s) and a turn (rad/s); returns whether the base touches something."""

    def decided(self, decision: NextMotion) -> None:
        """Show a decision that was made."""

    def failed(self, error: BaseException) -> str:
        """Report that a decision failed; returns why, in words."""


class ExplorerPilot:
    """Has a motion decided while the base stands, then executes it for ``act_s``, until nothing is left to explore.

    Not thread safe.

    Args:
        act_s: s.
        request: asks for the next motion.
        clock: of real time, s.

    Attributes:
        said: what it does, in words.
        decision: the last one; None before the first one, and after the map began anew.
        stands: whether the base was stopped, and not commanded since.
        decisions, contacts: their number.
    """

    def __init__(
        self,
        act_s: float,
        request: Callable[[], Future[NextMotion]],
        base: Base,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._act_s, self._request, self._base, self._clock = act_s, request, base, clock
        self.said = "loading the model"
        self.decision: NextMotion | None = None
        self.stands = self._paused = False
        self.decisions = self.contacts = 0
        self._deciding: Future[NextMotion] | None = None
        self._outdated = False  # what is being decided is about an earlier map or place
        self._began_s = self._retry_s = -math.inf

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to explore."""
        return self.decision is not None and self.decision.action is None

    def tick(self, now_s: float, waits: str, lost: str) -> None:
        """Do what is due; call it often.

        Args:
            now_s: on the clock of the base.
            waits: what a decision waits for, or ''.
            lost: why the base must not move, or ''.
        """
        if self._deciding is not None and self._deciding.done():
            self._take_decision(self._deciding, now_s)
        elapsed_s = now_s - self._began_s
        if not 0.0 <= elapsed_s < self._act_s:
            self._began_s = -math.inf  # also where the clock comes back to it
        action = None if self.decision is None else self.decision.action
        if action is not None and self._began_s > -math.inf and not self._paused and not lost:
            ahead, turn = (float(value) for value in action.at(elapsed_s))
            self.stands = False
            if self._base.move(ahead, turn, now_s):
                self.contacts += 1
                self._began_s = -math.inf
            return
        # Where it is done or paused, other nodes may command the base.
        if not (self.stands and (self._paused or self.is_complete)):
            self._base.stand()
            self.stands = True
        if self._paused:
            self.said = "paused"
        elif waits:
            self.said = f"waiting: {waits}"
        elif self._deciding is None and not self.is_complete and self._clock() > self._retry_s:
            self.said = "imagining"
            self._deciding = self._request()

    def pause(self) -> None:
        """Stop the base until `resume`."""
        self._paused, self.stands = True, False

    def resume(self) -> None:
        """Go on with a new decision: others may have driven the base since the last one was asked for."""
        self._paused, self._began_s = False, -math.inf
        self._outdated = self._deciding is not None

    def begin_anew(self) -> None:
        """Forget what was decided about a map that is gone, also what is being decided."""
        self.decision, self._began_s = None, -math.inf
        self._outdated = self._deciding is not None

    def _take_decision(self, deciding: Future[NextMotion], now_s: float) -> None:
        self._deciding = None
        if self._outdated:
            self._outdated = False
        elif error := deciding.exception():
            self.said, self._retry_s = self._base.failed(error), self._clock() + RETRY_S
        else:
            self.decision = deciding.result()
            self._began_s = now_s
            self.decisions += 1
            self.said = self.decision.in_words()
            self._base.decided(self.decision)
