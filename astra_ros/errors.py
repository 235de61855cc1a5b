"""The one base of all errors that a user can mend."""

from __future__ import annotations


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
