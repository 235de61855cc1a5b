"""Which plan is chosen of several requests, one after the other, on a clock that is turned by hand."""

from dataclasses import replace

import pytest

from astra_ros.ranking.choice import BACKUP, BEST, COARSE, KEPT, NONE, TIED, Candidate, ChoiceSettings, PlanChooser

FIRM = ChoiceSettings(margin=0.1, hold_s=3.0)
FREE = ChoiceSettings(margin=0.0)


def plans(*scores, source="s", first=0, cycle=0, backup=False):
    """Candidates with these scores; a negative one is vetoed, None is refused."""
    made = []
    for slot, score in enumerate(scores, start=first):
        verdict = "refused" if score is None else "vetoed" if score < 0 else "accepted"
        message = f"{source} {slot} {cycle}"
        made.append(Candidate(f"{source}/{slot}", source, slot, message, max(0.0, score or 0.0), verdict, backup))
    return made


class Requests:
    """Requests one after the other; each choice is taken."""

    def __init__(self, settings=FIRM, sources=("s", "t")):
        self.chooser, self.settings, self.now_s = PlanChooser(sources), settings, 50.0

    def __call__(self, candidates, after_s=1.0, take=True):
        self.now_s += after_s
        choice = self.chooser.choose(candidates, self.settings, self.now_s)
        if take:
            self.chooser.taken(choice, self.now_s)
        return choice


def test_the_best_score_is_chosen_and_the_reason_has_its_lead():
    choice = Requests()(plans(0.2, 0.7, 0.4, -1, None))
    assert (choice.name, choice.why, choice.best.name) == ("s/1", BEST, "s/1") and choice.held_s is None
    assert "s/1" in choice.reason and "0.700" in choice.reason and "0.300" in choice.reason


def test_without_a_margin_every_better_plan_wins():
    request = Requests(FREE)
    assert [request(plans(*scores)).name for scores in ((0.5, 0.49), (0.49, 0.5), (0.5, 0.49))] == ["s/0", "s/1", "s/0"]


def test_a_plan_of_the_same_slot_stays_chosen_until_another_is_better_by_the_margin():
    request = Requests()
    assert request(plans(0.5, 0.4)).name == "s/0"
    kept = request(plans(0.5, 0.55, cycle=1))
    assert (kept.name, kept.why, kept.best.name, kept.held_s) == ("s/0", KEPT, "s/1", 0.0)
    assert "0.050" in kept.reason and "0.1" in kept.reason
    assert request(plans(0.5, 0.45, cycle=2)).why == BEST, "it leads again"
    assert request(plans(0.5, 0.61, cycle=3)).name == "s/1", "by more than the margin"
    assert request(plans(0.7, 0.61, cycle=4)).name == "s/1", "now this one is kept"


def test_a_better_plan_wins_in_time_however_small_its_lead():
    request = Requests()
    request(plans(0.5, 0.4))
    held = [request(plans(0.5, 0.55, cycle=cycle)) for cycle in range(1, 5)]
    assert [(each.name, each.held_s) for each in held] == [("s/0", 0.0), ("s/0", 1.0), ("s/0", 2.0), ("s/1", None)]


def test_the_time_counts_from_when_it_was_last_the_best():
    request = Requests()
    for behind in (False, True, True, False, True, True):
        choice = request(plans(0.5, 0.55 if behind else 0.45))
        assert choice.name == "s/0"
    assert choice.held_s == 1.0


def test_no_time_to_hold_is_no_holding():
    request = Requests(ChoiceSettings(margin=0.5, hold_s=0.0))
    request(plans(0.5, 0.4))
    assert request(plans(0.5, 0.55)).name == "s/1"


def test_the_same_message_is_the_same_plan_wherever_it_stands():
    request = Requests()
    request(plans(0.3, 0.5))
    old, moved = plans(0.3, 0.5)[1], plans(0.55, 0.54, cycle=1)
    again = replace(moved[0], message=old.message, score=0.5)
    choice = request([again, replace(moved[1], score=0.55)])
    assert (choice.name, choice.why) == ("s/0", KEPT), "its message moved from slot 1 to 0"


@pytest.mark.parametrize("gone", [-1, None])
def test_a_plan_that_is_vetoed_or_refused_is_not_kept(gone):
    request = Requests()
    request(plans(0.5, 0.4))
    assert request(plans(gone, 0.4, cycle=1)).name == "s/1"


def test_another_source_must_win_by_the_margin_too():
    request = Requests()
    request(plans(0.5) + plans(0.4, source="t"))
    assert request(plans(0.5, cycle=1) + plans(0.55, source="t", cycle=1)).name == "s/0"
    assert request(plans(0.55, source="t", cycle=2)).name == "t/0", "the first source is silent"


def test_a_choice_that_was_not_taken_does_not_count():
    request = Requests()
    request(plans(0.5, 0.4), take=False)
    assert request(plans(0.5, 0.55, cycle=1)).why == BEST


def test_equal_scores_go_to_the_first_source_and_slot_in_whatever_order_they_came():
    some = plans(0.5, 0.5, first=9) + plans(0.5, source="t")
    for order in (some, some[::-1], some[1:] + some[:1]):
        choice = Requests(FREE)(order)
        assert (choice.name, choice.why) == ("s/9", TIED)
    nearly = [replace(each, score=each.score + 1e-8 * k) for k, each in enumerate(some)]
    assert Requests(FREE)(nearly).name == "s/9", "the last bits of a batch are no reason"


def test_of_equal_scores_the_plan_that_was_chosen_stays():
    request = Requests(FREE)
    request(plans(0.4, 0.5))
    choice = request(plans(0.5, 0.5, cycle=1))
    assert (choice.name, choice.why, choice.held_s) == ("s/1", TIED, None)


def test_a_backup_is_used_only_where_all_others_that_were_judged_are_vetoed():
    backups = plans(0.9, 0.95, source="t", backup=True)
    assert Requests()(plans(-1, 0.2) + backups).name == "s/1"
    choice = Requests()(plans(-1, -1, None) + backups)
    assert (choice.name, choice.why) == ("t/1", BACKUP)
    assert "2 vetoed, 1 refused" in choice.reason
    assert Requests()(plans(-1) + plans(-1, source="t", backup=True)).name == "", "a vetoed backup is no way out"
    alone = Requests()(backups)
    assert (alone.name, alone.why) == ("", NONE), "it replaces other plans, and there are none"
    assert "backups" in alone.reason


def test_a_backup_is_not_used_where_all_others_are_refused():
    choice = Requests()(plans(None, None) + plans(0.9, source="t", backup=True))
    assert (choice.name, choice.why) == ("", NONE), "nothing was judged, so nothing is vetoed"
    assert "2 refused" in choice.reason and "backups" in choice.reason


def test_a_plan_that_was_imagined_coarsely_is_neither_chosen_nor_kept():
    request = Requests()
    request(plans(0.5, 0.4))
    kept, better = plans(0.5, 0.55, cycle=1)
    assert request([replace(kept, verdict=COARSE), better]).name == "s/1"
    coarse, stop = [replace(kept, verdict=COARSE)], plans(0.9, source="t", backup=True)
    assert request(coarse).why == NONE and request(coarse + stop).why == NONE
    choice = request(coarse + plans(-1, first=1) + stop)
    assert choice.name == "t/0" and "1 imagined coarsely, 1 vetoed" in choice.reason


def test_a_plan_that_can_be_used_again_replaces_the_backup_at_once():
    request = Requests()
    assert request(plans(-1) + plans(0.9, source="t", backup=True)).name == "t/0"
    assert request(plans(0.2, cycle=1) + plans(0.9, source="t", backup=True)).name == "s/0"


def test_nothing_is_chosen_where_all_are_vetoed():
    choice = Requests()(plans(-1, -1))
    assert (choice.chosen, choice.best, choice.why) == (None, None, NONE) and "2 vetoed" in choice.reason
    assert Requests()([]).why == NONE


@pytest.mark.parametrize("given", [{"margin": -0.1}, {"margin": 1.1}, {"hold_s": -1.0}, {"hold_s": float("nan")}])
def test_settings_have_ranges(given):
    with pytest.raises(ValueError, match=next(iter(given))):
        ChoiceSettings(**given)
