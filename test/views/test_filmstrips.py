"""Films below each other: where each frame is, and that the words do not touch them."""

import numpy as np

from astra_ros.views.filmstrips import HEAD, MARGIN, filmstrips


def test_frames_are_where_they_belong_and_unchanged():
    rng = np.random.default_rng(0)
    films = [(name, rng.integers(0, 256, (3, 4, 6, 3), np.uint8)) for name in ("seen", "imagined", "a", "b")]
    picture = filmstrips(films, ["now", "+1 s", "+2 s"], scale=2, gap_every=2)
    left = picture.shape[1] - 3 * 12
    assert picture.shape[0] == HEAD + 4 * 8 + MARGIN and left > 20
    for row, (_, frames) in enumerate(films):
        top = HEAD + row * 8 + (MARGIN if row >= 2 else 0)
        for column, frame in enumerate(frames):
            cell = picture[top : top + 8, left + 12 * column : left + 12 * (column + 1)]
            np.testing.assert_array_equal(cell[::2, ::2], frame)
            np.testing.assert_array_equal(cell[1::2, 1::2], frame)
    assert picture[:HEAD].std() > 0 and picture[HEAD:, :left].std() > 0  # words are there
