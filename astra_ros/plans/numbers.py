"""Names and numbers of plans, checked where they enter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from astra_ros.plans.errors import PlanError
from astra_ros.texts import listed, short

# No joint is further from 0, rad or m, and no plan lasts longer, s.
MOST = 1e9


def unique_names(plan: str, what: str, names: Sequence[str]) -> tuple[str, ...]:
    """The names of a plan's columns. For errors, ``plan`` is its title and ``what`` the columns' noun in the plural.

    Raises:
        PlanError: no name, a repeated name, or a bare string.
    """
    if isinstance(names, str):
        problem = f"its {what} are the single string '{short(names)}'"
        raise PlanError(problem, thing=plan, cure="give a sequence of names")
    if not names:
        raise PlanError(f"it names no {what}", thing=plan, cure="name each column")
    found = tuple(str(name) for name in names)
    if repeated := sorted(name for name, count in Counter(found).items() if count > 1):
        problem = f"names of {what} repeat: {listed(repeated)}"
        raise PlanError(problem, thing=plan, cure="name each once", column=repeated[0])
    return found


def check_columns(plan: str, what: str, own: Sequence[str], wanted: Sequence[str]) -> None:
    """Checks that a plan has the wanted columns, in any order; ``plan`` and ``what`` as in `unique_names`.

    Raises:
        PlanError: it has others; it lists what is missing and what was not expected.
    """
    missing = [name for name in wanted if name not in own]
    unexpected = [name for name in own if name not in wanted]
    if missing or unexpected:
        parts = [f"missing: {listed(missing)}"] * bool(missing)
        parts += [f"not expected: {listed(unexpected)}"] * bool(unexpected)
        problem = f"its {what} are not the robot's ({'; '.join(parts)}); expected exactly: {listed(wanted)}"
        raise PlanError(problem, thing=plan, column=(missing or unexpected)[0])


def finite_numbers(plan: str, what: str, values) -> np.ndarray:
    """A private, read-only float64 copy of an array; ``plan`` and ``what`` name both in errors.

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
        found, index = float(array[place]), place[0] if place else None
        where = f"{what}{list(place)} is {found:.3g}"
        if not np.isfinite(found):
            raise PlanError(f"{where}; every value must be finite", thing=plan, index=index, found=found)
        problem, cure = f"{where}, more than {MOST:g}", "give seconds, rad and m"
        raise PlanError(problem, thing=plan, cure=cure, index=index, found=found, limit=MOST)
    array.setflags(write=False)
    return array


def start_values(plan: str, what: str, values, columns: int) -> np.ndarray:
    """What a robot does as a plan begins: float64 [D], finite. Raises PlanError for other values."""
    begin = np.asarray(values, dtype=np.float64)
    if begin.shape != (columns,) or not np.isfinite(begin).all():
        raise PlanError(f"{what} has shape {begin.shape}; expected ({columns},) finite numbers", thing=plan)
    return begin
