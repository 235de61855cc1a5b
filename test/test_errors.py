"""Errors that no user can mend are told with their class and where they were raised."""

import pytest

from astra_ros.errors import UnexpectedError, UserError, as_user_error


def test_an_error_that_a_user_can_mend_stays_as_it_is():
    error = UserError("damaged", thing="model.safetensors", cure="copy it again")
    assert as_user_error(error) is error


@pytest.mark.parametrize(
    ("raised", "kind", "said"), [(KeyError("tip"), "KeyError", "'tip'"), (OSError(), "OSError", "")]
)
def test_another_error_is_told_with_class_and_place(raised, kind, said):
    with pytest.raises(Exception) as caught:
        raise raised
    told = as_user_error(caught.value)
    assert isinstance(told, UnexpectedError) and told.kind == kind
    assert f"{kind}: {said}" in told.problem and "test_errors.py, line " in told.thing and told.cure


def test_an_error_that_was_never_raised_has_no_place():
    assert as_user_error(KeyError("tip")).thing == ""
