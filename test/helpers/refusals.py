"""Why plans cannot be imagined, as facts."""

import pytest

from astra_ros.ranking.prepare import NothingToImagine


def refused_plan(prepare, *args):
    """The error of the one plan that `prepare(*args)` refuses."""
    with pytest.raises(NothingToImagine) as error:
        prepare(*args)
    (reason,) = error.value.refused.values()
    assert reason.thing in str(error.value) and reason.problem in str(error.value) and reason.cure
    return reason
