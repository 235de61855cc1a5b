"""Numbers of plans, checked where they enter."""

from __future__ import annotations

import numpy as np

from astra_ros.plans.errors import PlanError

# No joint is further from 0, rad or m, and no plan lasts longer, s.
MOST = 1e9


def finite_numbers(plan: str, what: str, values) -> np.ndarray:
    """A private, read-only float64 copy of an array.

    Args:
        plan: the plan's title, for errors.
        what: the array's name, for errors.

    Raises:
        PlanError: it is not a rectangular array of numbers, or one is not finite or not plausible.
    """
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise PlanError(f"{what} is not a rectangular array of numbers ({error})", thing=plan) from error
    bad = ~(np.abs(array) <= MOST)  # also of NaN
    if bad.any():
        place = tuple(int(axis) for axis in np.argwhere(bad)[0])
        found = float(array[place])
        index = place[0] if place else None
        if not np.isfinite(found):
            raise PlanError(
                f"{what}{list(place)} is {found}; every value must be finite", thing=plan, index=index, found=found
            )
        raise PlanError(
            f"{what}{list(place)} is {found:.3g}, more than {MOST:g}",
            thing=plan,
            cure="give seconds, rad and m",
            index=index,
            found=found,
            limit=MOST,
        )
    array.setflags(write=False)
    return array


def start_values(plan: str, what: str, values, columns: int) -> np.ndarray:
    """What a robot does as a plan begins: float64 [D], finite.

    Raises:
        PlanError: another shape, or a value that is not finite.
    """
    begin = np.asarray(values, dtype=np.float64)
    if begin.shape != (columns,) or not np.isfinite(begin).all():
        raise PlanError(f"{what} has shape {begin.shape}; expected ({columns},) finite numbers", thing=plan)
    return begin
