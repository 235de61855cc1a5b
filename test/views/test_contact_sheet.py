"""The contact sheet, read back pixel by pixel: sizes, order of rank, colours, bars, frames."""

import numpy as np
import pytest
from user_errors import fault

from astra_ros.critics.scoring import CriticScore, PlanScore
from astra_ros.views import canvas as look
from astra_ros.views.canvas import Canvas, fit, shorten, text_width
from astra_ros.views.contact_sheet import CELL, contact_sheet, sheet_layout, shown_steps
from astra_ros.views.imagined_plans import ImaginedPlans, by_rank


def make_score(name, rank, verdict="accepted", flags=(), **costs):
    critics = {critic: CriticScore(cost, 1.0, cost) for critic, cost in costs.items()}
    score = float(np.exp(-sum(costs.values())))
    return PlanScore(name, rank, score, verdict, critics, ("goal: half way",), {}, dict(flags))


SCORES = [
    make_score("a", 2, "vetoed", {"collision": "vetoed"}, goal=0.5, collision=2.0),
    make_score("b", 0, goal=0.25, collision=0.0),
    make_score("c", 1, "risky", {"goal": "risky"}, goal=1.0, collision=0.125),
]


def make_frames(plans=3, horizon=16, size=64):
    """Frames of one colour each, (plan, step, 100), so that each cell tells where it is from."""
    frames = np.empty((plans, horizon, size, size, 3), np.uint8)
    frames[..., 0] = 40 * np.arange(1, plans + 1)[:, None, None, None]
    frames[..., 1] = 10 * np.arange(horizon)[None, :, None, None]
    frames[..., 2] = 100
    return frames


def sheet_of(frames=None, scores=SCORES, current_frame=None, goal_image=None, columns=8, **more):
    plans = ImaginedPlans(make_frames() if frames is None else frames, scores, 0.25, **more)
    return contact_sheet(plans, current_frame, goal_image, columns=columns)


def layout_of(columns=8, truth=False, pictures=False):
    return sheet_layout((3, 16, 64, 64, 3), 2, columns, truth, pictures)


def centre_of(sheet, layout, index, column, row=0):
    x, y = layout.cell(index, column, row)
    return sheet[y + CELL // 2, x + layout.cell_width // 2].tolist()


def test_shape_and_type():
    sheet = sheet_of(make_frames(), SCORES)
    assert sheet.shape == layout_of().shape and sheet.dtype == np.uint8
    taller = sheet_of(make_frames(), SCORES, truth=make_frames())
    assert taller.shape == layout_of(truth=True).shape
    assert taller.shape[1] == sheet.shape[1] and taller.shape[0] > sheet.shape[0] + 3 * CELL


def test_bands_go_by_rank_and_frames_by_time():
    sheet, layout = sheet_of(make_frames(), SCORES), layout_of()
    assert by_rank(SCORES) == [1, 2, 0] and layout.steps == (1, 3, 5, 7, 9, 11, 13, 15)
    for index, plan in enumerate((1, 2, 0)):
        for column, step in enumerate(layout.steps):
            assert centre_of(sheet, layout, index, column) == [40 * (plan + 1), 10 * step, 100]


def test_truth_stands_below_what_was_imagined():
    truth = 255 - make_frames(size=128)  # any size
    sheet = sheet_of(make_frames(), SCORES, truth=truth, truth_notes=["x", "y", "z"])
    layout = layout_of(truth=True)
    for index, plan in enumerate((1, 2, 0)):
        assert centre_of(sheet, layout, index, 0) == [40 * (plan + 1), 10, 100]
        assert centre_of(sheet, layout, index, 0, row=1) == [255 - 40 * (plan + 1), 245, 155]


def test_each_band_wears_its_verdicts_colour():
    sheet, layout = sheet_of(make_frames(), SCORES), layout_of()
    for index, verdict in enumerate(("accepted", "risky", "vetoed")):
        middle = layout.band(index) + layout.band_height // 2
        assert tuple(sheet[middle, 18]) == look.VERDICT_COLOURS[verdict]
        panel = sheet[layout.band(index) :][: layout.band_height, :346].reshape(-1, 3)
        others = set(look.VERDICT_COLOURS) - {verdict}
        seen = set(map(tuple, panel.tolist()))
        assert not seen & {look.VERDICT_COLOURS[other] for other in others}


def test_only_the_chosen_plan_has_the_chosen_background():
    def backgrounds(scores, chosen=None):
        sheet, layout = sheet_of(make_frames(), scores, chosen=chosen), layout_of()
        return [tuple(sheet[layout.band(index) + 2, 30]) for index in range(3)]

    assert backgrounds(SCORES) == [look.PANEL_CHOSEN, look.PANEL, look.PANEL]
    vetoed = [make_score(n, k, "vetoed", goal=1.0, collision=0.0) for k, n in enumerate("abc")]
    assert backgrounds(vetoed) == [look.PANEL] * 3
    # Not always the best one: the one before it may have been kept.
    second = next(score.name for score in SCORES if score.rank == 1)
    assert backgrounds(SCORES, second) == [look.PANEL, look.PANEL_CHOSEN, look.PANEL]
    assert backgrounds(SCORES, "") == [look.PANEL] * 3


def filled(sheet, layout, index, critic, colour):
    x, y, width, height = layout.bar(index, critic)
    line = sheet[y + height // 2, x : x + width]
    return int((line == colour).all(axis=1).sum()) / width


def test_bars_are_proportional_to_weighted_costs():
    sheet, layout = sheet_of(make_frames(), SCORES), layout_of()
    # The largest penalty, 2.0, fills its track. By rank: b 0.25 and 0; c 1 and 0.125; a 0.5 and 2.
    bar, amber, magenta = look.BAR, *(look.VERDICT_COLOURS[v] for v in ("risky", "vetoed"))
    expected = [(bar, 0.125), (bar, 0), (amber, 0.5), (bar, 0.0625), (bar, 0.25), (magenta, 1)]
    for place, (colour, share) in enumerate(expected):
        drawn = filled(sheet, layout, place // 2, place % 2, colour)
        assert drawn == pytest.approx(share, abs=0.01)


def test_bars_use_the_weight_and_power_of_a_critic():
    doubled = PlanScore("a", 0, 0.5, "accepted", {"x": (0.5, 1.0, 0.5), "y": (1, 2.0, 1.0)}, (), {"x": 0.5, "y": 2.0})
    sheet = sheet_of(make_frames(1), [doubled])
    layout = sheet_layout((1, 16, 64, 64, 3), 2)
    assert filled(sheet, layout, 0, 0, look.BAR) == pytest.approx(0.25, abs=0.01)
    assert filled(sheet, layout, 0, 1, look.BAR) == 1.0


def test_missing_and_broken_critics_are_drawn():
    scores = [
        make_score("a", 0, goal=0.1),
        make_score("b", 1, collision=0.5),
        make_score("c", 2, "vetoed", {"goal": "vetoed"}, goal=np.nan),
    ]
    sheet, layout = sheet_of(make_frames(), scores), layout_of()
    assert filled(sheet, layout, 1, 0, look.TRACK) == 0  # "cannot score" has no track
    assert filled(sheet, layout, 2, 0, look.VERDICT_COLOURS["vetoed"]) == 1


def test_header_shows_what_the_camera_sees_and_the_goal():
    red, green = np.zeros((64, 64, 3), np.uint8), np.zeros((128, 128, 3), np.uint8)
    red[..., 0], green[..., 1] = 255, 255
    sheet = sheet_of(make_frames(), SCORES, current_frame=red, goal_image=green)
    layout = layout_of(pictures=True)
    assert sheet.shape == layout.shape
    reds = np.flatnonzero((sheet[60] == (255, 0, 0)).all(axis=1))
    greens = np.flatnonzero((sheet[60] == (0, 255, 0)).all(axis=1))
    assert len(reds) == len(greens) == layout.header - 34 and reds.max() < greens.min()


@pytest.mark.parametrize("size", [(64, 64), (48, 96), (96, 32), (200, 200)])
def test_any_size_of_frames(size):
    frames = np.full((1, 2, *size, 3), 7, np.uint8)
    wide = np.zeros((10, 400, 3), np.uint8)
    sheet = sheet_of(frames, SCORES[1:2], current_frame=wide, goal_image=wide)
    layout = sheet_layout(frames.shape, 2, pictures=True)
    assert sheet.shape == layout.shape
    assert layout.cell_width == round(CELL * size[1] / size[0])


def test_shown_steps():
    assert shown_steps(16, 8) == (1, 3, 5, 7, 9, 11, 13, 15)
    assert shown_steps(16, 1) == (15,)
    assert shown_steps(3, 8) == (0, 1, 2)
    assert shown_steps(10, 4)[-1] == 9


@pytest.mark.parametrize(
    "changes, facts",
    [
        (dict(frames=make_frames().astype(float)), ("imagined", "float64 (3, 16, 64, 64, 3)", "uint8 [K, H, h, w, 3]")),
        (dict(frames=make_frames()[0]), ("imagined", "uint8 (16, 64, 64, 3)", "uint8 [K, H, h, w, 3]")),
        (dict(scores=SCORES[:2]), ("2 scores", 3)),
        (dict(truth=make_frames(2)), ("truth", "(2, 16)", "(3, 16)")),
        (dict(truth=make_frames()[0]), ("truth", "uint8 (16, 64, 64, 3)", "uint8 [K, H, h, w, 3]")),
        (dict(imagined_steps=[16]), ("1 steps", 3)),
        (dict(truth_notes=["one"]), ("1 truth notes", 3)),
        (dict(columns=0), ("columns", 0, 1)),
    ],
)
def test_what_does_not_fit_is_refused(changes, facts):
    with fault(ValueError, *facts):
        sheet_of(**changes)


def test_frames_that_were_not_imagined_are_left_out():
    sheet, layout = sheet_of(imagined_steps=np.array([16, 8, 16])), layout_of()
    # Plan 1 is the best one: of its shown steps 1, 3, ... 15 the first four were imagined.
    for column, step in enumerate(layout.steps):
        x, y = layout.cell(0, column)
        colour = [80, 10 * step, 100] if step < 8 else list(look.TRACK)
        assert sheet[y + 5, x + 5].tolist() == colour
        assert centre_of(sheet, layout, 1, column) == [120, 10 * step, 100]


def test_text_is_drawn_where_it_is_asked_for():
    page = Canvas(40, 200, (0, 0, 0))
    width = page.text(190, 20, "score", 16, (255, 255, 255), "right")
    assert width == text_width("score", 16)
    rows, columns = np.nonzero(page.pixels[..., 0] > 100)
    assert columns.min() >= 190 - width and columns.max() < 190
    assert abs(rows.mean() - 20) < 4 and (page.pixels[..., 0] == page.pixels[..., 2]).all()


def test_text_beyond_the_edges_is_cut_off():
    page = Canvas(20, 30)
    for x, y in ((-20, 5), (25, 18), (200, 5), (5, -50), (5, 60)):
        page.text(x, y, "longer than the page", 16)
    assert page.pixels.shape == (20, 30, 3)


def test_long_and_foreign_text():
    text = "a plan with a name that is far too long"
    short = shorten(text, 14, 100)
    assert short.endswith("…") and text_width(short, 14) <= 100 and text.startswith(short[:-1])
    assert shorten("short", 14, 100) == "short" and shorten(text, 14, 0) == "…"
    assert text_width("Häuser", 14) == text_width("Hauser", 14)  # the font has no accents
    assert text_width("計", 14) == text_width("?", 14)
    assert text_width("", 14) == 0


def test_pictures_are_scaled_by_height():
    assert fit(np.zeros((10, 20, 3), np.uint8), 96).shape == (96, 192, 3)
    assert fit(np.zeros((200, 100, 3), np.uint8), 96).shape == (96, 48, 3)
