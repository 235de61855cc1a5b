"""Errors, looked at by their class, their fields, and the names and numbers in them: never by their wording."""

import re
from contextlib import contextmanager

import pytest


@contextmanager
def refusal(kind, thing="", *facts, cure=()):
    """The block must raise exactly a `kind`, a UserError, about `thing` (the end of its name).

    Its problem, with the details below it, holds the facts in this order; its cure holds those of `cure`.
    """
    with pytest.raises(kind) as caught:
        yield caught
    error = caught.value
    assert type(error) is kind and error.thing.endswith(str(thing)), repr(error.thing)
    problem = "\n".join([error.problem, *getattr(error, "details", ())])
    assert holds(problem, facts), problem
    assert holds(error.cure, cure), error.cure
    assert error.problem in str(error) and error.cure in str(error)


@contextmanager
def fault(kind, *facts):
    """The block must raise exactly a `kind` whose text holds the facts in this order: an error of the calling code."""
    with pytest.raises(kind) as caught:
        yield caught
    assert type(caught.value) is kind and holds(str(caught.value), facts), repr(caught.value)


def holds(text, facts):
    """Whether the text holds these names and numbers, each of them whole, in this order."""
    return re.search(".*?".join(map(_whole, facts)), text, re.DOTALL) is not None


def _whole(fact):
    fact = str(fact)
    before = r"(?<!\w)(?<!\d\.)" if fact[:1].isalnum() else ""
    after = r"(?!\w|\.\d)" if fact[-1:].isalnum() else ""
    return before + re.escape(fact) + after
