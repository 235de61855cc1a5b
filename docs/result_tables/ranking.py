"""What scores are worth: a ranking of one model, and where it is lost."""

from .markdown import markdown

TRUTHS = {
    "contact": "whether the plan collides",
    "progress": "how far the task gets (of an arm: where the object ends)",
    "gain": "what will be seen",
    "off_road": "whether the car leaves the road",
    "all": "all of it",
}
CHOICES = {"random": "a random plan", "score": "**the best score**", "oracle": "the simulator itself (upper limit)"}


def ranking(result: dict) -> str:
    """Rank correlation, and the mean outcome by who chooses, for every robot."""
    rows = []
    for robot, figures in result["robots"].items():
        for row, title in CHOICES.items():
            low, high = figures["outcome_95"][row]
            rows.append([robot, title, f"{figures['outcome'][row]:.2f}", f"{low:.2f} to {high:.2f}",
                         f"{figures['collisions'][row]:.0%}"])  # fmt: skip

    def share(value: float | None) -> str:
        return "-" if value is None else f"{value:.0%}"

    correlations = "".join(
        f"- {robot}: Spearman correlation of score and outcome {figures['spearman']:.2f} "
        "({:.2f} to {:.2f}), ".format(*figures["spearman_95"])
        + f"{figures['scenes']} scenes; vetoed: "
        f"{share(figures['vetoed_of_colliding'])} of the plans that collide, "
        f"{share(figures['vetoed_of_harmless'])} of those that do not\n"
        for robot, figures in result["robots"].items()
    )
    head = ["", "chosen by", "mean outcome", "95 % interval", "collisions"]
    return correlations + "\n" + markdown(head, rows) + "\n" + verdicts(result) + losses(result)


def losses(result: dict) -> str:
    """Where ranking is lost, for every robot; empty for result files that do not say it."""
    robots = {robot: figures for robot, figures in result["robots"].items() if "with_truth" in figures}
    if not robots:
        return ""

    def cells(figures: dict, outcome: float, collisions: float) -> list[str]:
        spearman = "{:.2f} ({:.2f} to {:.2f})".format(figures["spearman"], *figures["spearman_95"])
        return [spearman, f"{figures['top1_regret']:.0%}", f"{outcome:.2f}", f"{collisions:.0%}"]

    rows, notes = [], []
    for robot, figures in robots.items():
        chosen = figures["outcome"]["score"], figures["collisions"]["score"]
        rows.append([robot, "**nothing: the score**", *cells(figures, *chosen)])
        others = {TRUTHS[part]: each for part, each in figures["with_truth"].items()}
        if figures["without_imagination"]:
            others["nothing is imagined, the plan alone is read"] = figures["without_imagination"]
        rows += [[robot, title, *cells(each, each["outcome"], each["collisions"])] for title, each in others.items()]
        notes.append(f"- {robot}: {diagnosis(figures)}\n")
    head = ["", "replaced by the truth", "Spearman", "top-1 regret", "mean outcome", "collisions"]
    return "\n" + markdown(head, rows) + "\n" + "".join(notes)


def diagnosis(figures: dict) -> str:
    """Each critic alone, the probability of contact, and generators of plans, in a sentence."""
    alone = ", ".join(f"`{name}` {each['spearman']:.2f}" for name, each in figures["critics_alone"].items())
    parts = [f"Spearman of each critic alone: {alone}"]
    if contact := figures.get("contact"):
        separates = "-" if contact["auroc"] is None else f"{contact['auroc']:.2f}"
        told = f"contact of a plan: AUROC {separates}, ECE {contact['ece']:.2f}"
        if veto := contact["veto"]:
            vetoes = f"misses {veto['missed']:.0%} of the colliding plans"
            if veto["vetoed_of_harmless"] is not None:
                vetoes += f" and vetoes {veto['vetoed_of_harmless']:.0%} of the others"
            told += f"; `collision.veto_above` {veto['veto_above']:g} {vetoes}"
        parts.append(told)
    if generators := figures["generators"]:
        r = "-" if generators["pearson"] is None else f"{generators['pearson']:.2f}"
        many = len(generators["by_kind"])
        parts.append(
            f"{many} generators of plans, mean score against mean outcome: Pearson {r}, MMRV {generators['mmrv']:.2f}"
        )
    return "; ".join(parts)


def verdicts(result: dict) -> str:
    """The plans of each verdict, all of them and the chosen ones, for every robot."""

    def cells(values: dict | None, note: str = "") -> list[str]:
        if values is None:
            return ["", "", ""]
        return [f"{note}{values['share']:.0%}", f"{values['outcome']:.2f}", f"{values['collisions']:.0%}"]

    rows = [
        [robot, name, *cells(values), *cells(figures["chosen_verdicts"].get(name), "none: " * (name == "vetoed"))]
        for robot, figures in result["robots"].items()
        for name, values in figures["verdicts"].items()
    ]
    outcome = ["mean outcome", "collisions"]
    return markdown(["all plans", "verdict", "share", *outcome, "chosen in", *outcome], rows)
