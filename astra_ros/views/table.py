"""The scores of a request as a plain-text table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from astra_ros.critics.scoring import PlanScore
from astra_ros.views.imagined_plans import by_rank, critic_names

_ANSI = {"accepted": "32", "risky": "33", "vetoed": "35"}


def score_table(
    scores: Sequence[PlanScore],
    truth: Mapping[str, Sequence[object]] | None = None,
    colour: bool = False,
    reasons: bool = True,
) -> str:
    """One line per plan, best first: plan, rank, score, verdict, each critic's penalty, reason.

    A critic that did not score a plan shows "-".

    Args:
        truth: further columns on what then happened: heading -> K values in the order of ``scores``; floats get two
            digits, booleans become yes or no.
        colour: print the verdict in ANSI colours.
        reasons: add a last column with each plan's first reason.
    """
    truth = truth or {}
    for heading, values in truth.items():
        if len(values) != len(scores):
            raise ValueError(f"truth column '{heading}' has {len(values)} values for {len(scores)} plans")
    critics = critic_names(scores)
    headings = ["plan", "rank", "score", "verdict", *critics, *truth]
    left_aligned = {0, 3, len(headings)}
    headings += ["why"] * reasons
    rows = []
    for k in by_rank(scores):
        score = scores[k]
        row = [score.name, str(score.rank + 1), f"{score.score:.3f}", score.verdict]
        row += [f"{score.penalty(name):.2f}" if name in score.critics else "-" for name in critics]
        row += [_text(values[k]) for values in truth.values()]
        rows.append(row + ([score.reasons[0] if score.reasons else ""] if reasons else []))
    widths = [max(map(len, column)) for column in zip(headings, *rows)]

    def line(cells: Sequence[str]) -> str:
        placed = enumerate(zip(cells, widths))
        padded = (cell.ljust(width) if k in left_aligned else cell.rjust(width) for k, (cell, width) in placed)
        return "  ".join(padded).rstrip()

    lines = [line(headings), "  ".join("-" * width for width in widths)]
    for row in rows:
        text = line(row)
        if colour:
            # Coloured last, because the codes count as characters but take no width.
            start = sum(width + 2 for width in widths[:3])
            verdict, end = row[3], start + len(row[3])
            text = f"{text[:start]}\x1b[{_ANSI[verdict]}m{verdict}\x1b[0m{text[end:]}"
        lines.append(text)
    return "\n".join(lines)


def _text(value: object) -> str:
    # numpy's booleans and floats are not instances of bool and float; their types' names tell.
    kind = type(value).__name__
    if kind.startswith("bool"):
        return "yes" if value else "no"
    if kind.startswith("float"):
        return f"{value:.2f}".replace("-0.00", "0.00")
    return str(value)
