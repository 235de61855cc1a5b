"""Words in contact sheets, videos and films: all are drawn, inside the picture, however narrow its frames."""

import re

import numpy as np
import pytest

from astra_ros.critics.scoring import CriticScore, PlanScore
from astra_ros.views import canvas as look
from astra_ros.views.canvas import SMALLEST, Canvas, fitted, line_height, text_width, wrap
from astra_ros.views.contact_sheet import contact_sheet, empty_sheet
from astra_ros.views.filmstrips import filmstrips
from astra_ros.views.imagined_plans import ImaginedPlans
from astra_ros.views.loop_film import loop_frames
from astra_ros.views.video import side_by_side

TITLE = "What Astra (astra-arms) imagines for each plan of the panda, scene 999999"
WHY = "score 0.357 < risky_below 0.45: goal_pose: the object ends 0.152 m from where the goal image shows it"
NOTE = "hit_obstacle: 77 % of the way to the goal, touched the obstacle"
RESTS = (
    "the arm rests: every plan is vetoed; the best of them: collision: 79 % chance to touch the obstacle, worst at "
    "1.75 s; goal_pose: the object ends 0.070 m from the goal pose; uncertainty: expected latent error 0.54, worst at "
    "3.75 s; smoothness: acceleration 0.63 rad/s^2 RMS"
)
SIZES = [(64, 64), (96, 32), (48, 96)]


@pytest.fixture
def drawn(monkeypatch):
    """What is drawn: (text, size, left, right, width of the picture)."""
    found, text = [], Canvas.text

    def spy(self, x, y, words, size, colour=look.TEXT, align="left", max_width=None):
        width = text(self, x, y, words, size, colour, align, max_width)
        left = x - width * {"left": 0.0, "centre": 0.5, "right": 1.0}[align]
        found.append((look.shorten(words, size, max_width), size, left, left + width, self.pixels.shape[1]))
        return width

    monkeypatch.setattr(Canvas, "text", spy)
    return found


def holds(drawn, *texts):
    assert all(left >= 0 and right <= width for _, _, left, right, width in drawn)
    assert not [text for text, *_ in drawn if text.endswith("…")]
    words = " ".join(text for text, *_ in drawn)
    together = words.replace(" ", "")
    assert [text for text in texts if text.replace(" ", "") not in together] == []


def plans_of(size, count=2):
    frames = np.full((count, 4, *size, 3), 90, np.uint8)
    critics = {name: CriticScore(0.3, 1.0, 0.3) for name in ("goal", "nearest_obstacle_clearance")}
    scores = [PlanScore(f"candidates/{k}", k, 0.5, "risky", critics, (WHY, "and more"), {}, {}) for k in range(count)]
    return ImaginedPlans(frames, scores, 0.25, frames, [NOTE] * count, np.array([2] * count))


@pytest.mark.parametrize("size", SIZES)
def test_words_of_a_contact_sheet(drawn, size):
    picture = np.zeros((*size, 3), np.uint8)
    contact_sheet(plans_of(size), picture, picture, TITLE)
    holds(drawn, TITLE, WHY, NOTE, "nearest_obstacle_clearance", "camera now", "+1.00", *look.VERDICT_COLOURS)
    assert min(size for _, size, *_ in drawn) > SMALLEST


def test_words_of_an_empty_sheet(drawn):
    empty_sheet(f"Nothing is imagined: {WHY}; {NOTE}; {WHY}")
    holds(drawn, f"Nothing is imagined: {WHY}; {NOTE}; {WHY}")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("count", [1, 5])
def test_words_of_a_video(drawn, size, count):
    side_by_side(plans_of(size, count), TITLE, hold_s=0.0)
    holds(drawn, TITLE, NOTE, "imagined", "what then happened", "candidates/0")


@pytest.mark.parametrize("size", SIZES)
def test_words_of_a_film(drawn, size):
    frames = np.zeros((2, *size, 3), np.uint8)
    told = ["[ 16.0 s] 8 pushes planned, 8 vetoed", RESTS]
    made = [*loop_frames(frames, None, "panda, scene 1", told), *loop_frames(frames, frames, "panda, scene 1", ["a"])]
    holds(drawn, "panda, scene 1", *told, "no plan was chosen", "real", "imagined")
    assert len({frame.shape for frame in made}) == 1


def test_words_above_narrow_films(drawn):
    frames = np.zeros((3, 32, 16, 3), np.uint8)
    filmstrips([("seen", frames)], ["observed", "its look", "recorded so"])
    assert all(left >= 0 and right <= width for _, _, left, right, width in drawn)


@pytest.mark.parametrize("width", [3, 40, 120, 5000])
def test_lines_are_narrow_enough_and_hold_every_letter(width):
    text = f"{RESTS}\nthe_second/paragraph with_a_name"
    lines = wrap(text, 13, width)
    assert all(text_width(line, 13) <= width or len(line) == 1 for line in lines)
    assert re.sub(r"\s", "", "".join(lines)) == re.sub(r"\s", "", text)
    assert width < 5000 or lines == text.split("\n")


def test_names_are_parted_where_their_parts_meet():
    assert wrap("nearest_obstacle_clearance", 13, 130) == ["nearest_obstacle_", "clearance"]


def test_text_becomes_smaller_only_where_it_must_and_is_cut_only_at_the_smallest_size():
    assert fitted("short", 20, 200, 30) == (20, ("short",))
    size, lines = fitted(NOTE, 20, 200, 60)
    assert SMALLEST < size < 20 and len(lines) > 1 and len(lines) * line_height(size) <= 60
    assert max(text_width(line, size) for line in lines) <= 200
    size, lines = fitted(RESTS, 20, 100, 24)
    assert size == SMALLEST and len(lines) == 2 and lines[-1].endswith("…")


def test_a_name_of_any_length_is_drawn_at_once():
    size, lines = fitted("x" * 1_000_000, 13, 100, 20)
    assert size == SMALLEST and lines[-1].endswith("…")
