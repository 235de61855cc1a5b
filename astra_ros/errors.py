"""The one base of all errors that a user can mend, and how others are told."""

from __future__ import annotations

import traceback
from pathlib import Path

from astra_ros.texts import short


class UserError(Exception):
    """Something that the user gave, set or published cannot be used. Its text is "THING: PROBLEM; CURE".

    A library below the nodes and commands raises facts; only nodes and commands name topics, parameters and flags. A
    cure may name a setting by its field in backquotes, such as `force`; a command then shows its flag.

    Attributes:
        thing: the file, topic, setting or plan that it is about; '' where the problem names it.
        problem: what is wrong, in one clause.
        cure: what to do, in the imperative; '' where the problem says it.
    """

    def __init__(self, problem: str, *, thing: object = "", cure: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.thing = str(thing)
        self.cure = cure

    def __str__(self) -> str:
        told = f"{self.thing}: {self.problem}" if self.thing else self.problem
        return f"{told}; {self.cure}" if self.cure else told


class UnexpectedError(UserError):
    """An error of any other class, as nodes tell it: a fault of the code, not of what the user gave.

    Attributes:
        thing: the file and line that raised it.
        kind: its class.
    """

    def __init__(self, error: BaseException) -> None:
        self.kind = type(error).__name__
        said = short(str(error).strip() or "no reason given", 200)
        problem, cure = f"unexpected {self.kind}: {said}", "report it if it comes again"
        super().__init__(problem, thing=where_raised(error), cure=cure)


def as_user_error(error: BaseException) -> UserError:
    """The error itself if it is a `UserError`, else an `UnexpectedError`: a KeyError's own text is only a name."""
    return error if isinstance(error, UserError) else UnexpectedError(error)


def where_raised(error: BaseException) -> str:
    """The file and line that raised an error, in words; '' before it is raised."""
    places = traceback.extract_tb(error.__traceback__)
    return f"{Path(places[-1].filename).name}, line {places[-1].lineno}" if places else ""
