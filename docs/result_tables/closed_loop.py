"""Whole tasks: each robot and policy, and what imagination adds to choices without it."""

from result_tables.markdown import markdown

# figure -> (title, how a value is shown), those of the goals first
FIGURES = {
    "arm": {
        "reached": ("within 5 cm of the goal", "{:.0%}"),
        "untouched": ("obstacle untouched", "{:.0%}"),
        "success": ("both", "{:.0%}"),
    },
    "drive": {
        "no_contact": ("no contact", "{:.0%}"),
        "followed": ("path followed within 0.25 m", "{:.0%}"),
        "smoothness": ("smoothness", "{:.2f}"),
        "progress": ("progress", "{:.2f}"),
    },
    "explore": {"seen_m2": ("floor seen, m²", "{:.1f}"), "no_contact": ("no contact", "{:.0%}")},
}
POLICIES = {
    "imagination": "**imagination**",
    "random": "a random plan",
    "first-plan": "the planner's first plan",
    "plan-alone": "the plan alone, nothing imagined",
    "physics": "physics alone",
    "physics-told": "physics, told where the obstacle is",
    "oracle": "the simulator itself",
}
# What imagination is compared with in sentences. Of arms, the plan alone knows no goal; the planner's first plan does.
BASELINES = {"plan-alone": "the plan alone", "first-plan": "the planner's first plan"}


def closed_loop(results: dict[str, dict]) -> str:
    """A table for each world: results by robot."""
    parts = []
    for world, figures in FIGURES.items():
        robots = {robot: each for robot, each in results.items() if each["world"] == world}
        if not robots:
            continue
        rows, lines = [], []
        for robot, result in robots.items():
            for policy, of in result["policies"].items():
                cells = [shown(of[name], form) for name, (_, form) in figures.items()]
                rows.append([f"{robot}, {result['episodes']} episodes", POLICIES[policy], *cells])
            lines += gains(robot, result, figures)
        parts.append(markdown(["", "chosen by", *(title for title, _ in figures.values())], rows))
        parts.append("".join(f"- {line}\n" for line in lines))
    return "\n".join(parts)


def shown(estimate: dict, form: str) -> str:
    low, high = estimate["interval_95"]
    return f"{form.format(estimate['mean'])} ({form.format(low)} to {form.format(high)})"


def gains(robot: str, result: dict, figures: dict) -> list[str]:
    """What imagination adds to choices without it, in sentences; none where one of them was not measured."""
    known = [(name, form, what) for name, form in figures.items() for what in BASELINES]
    lines = []
    for name, (title, form), what in known:
        if what not in result["imagination_over"]:
            continue
        each = result["imagination_over"][what][name]
        signed = form.replace(":", ":+")
        low, high = each["interval_95"]
        by = f"{signed.format(each['mean'])} ({signed.format(low)} to {signed.format(high)})"
        scenes = f"better in {each['more']} scenes, worse in {each['less']}"
        verdict = f"{'' if each['significant'] else 'not '}significant"
        tested = f", p {chance(each['p'])}; {verdict}" if "p" in each else ""  # files of before had no test of numbers
        lines.append(f"{robot}, {title}, imagination over {BASELINES[what]}: {by}; {scenes}{tested}")
    return lines


def chance(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
