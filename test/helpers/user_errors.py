"""Errors that a user can mend, looked at by class and fields."""

from contextlib import contextmanager

import pytest


@contextmanager
def refusal(kind, thing="", *facts):
    """The block must raise exactly a `kind` about `thing` (the end of its name), whose problem holds the facts."""
    with pytest.raises(kind) as caught:
        yield caught
    error = caught.value
    assert type(error) is kind and error.thing.endswith(str(thing)), repr(error.thing)
    assert [fact for fact in map(str, facts) if fact not in error.problem] == [], error.problem
    assert error.problem in str(error) and error.cure in str(error)
