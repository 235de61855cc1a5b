"""Plans that a planner makes: who chooses well among them, by model."""

from .markdown import markdown


def planned(models: dict[str, dict]) -> str:
    """A row for each robot and chooser. Models by name, each with figures by robot; all ranked in the same scenes."""
    rows = []
    for robot in dict.fromkeys(robot for robots in models.values() for robot in robots):
        of = {model: robots[robot] for model, robots in models.items() if robot in robots}
        figures = next(iter(of.values()))

        def row(title: str, outcome: float, collisions: float, *more: str, robot: str = robot) -> None:
            rows.append([robot, title, f"{outcome:.2f}", f"{collisions:.0%}", *more, *[""] * (4 - len(more))])

        row("a random plan", figures["outcome"]["random"], figures["collisions"]["random"])
        alone = figures["without_imagination"]
        row("the plan alone", alone["outcome"], alone["collisions"], *correlation(alone))
        for model, own in of.items():
            vetoes = f"{own['vetoed_of_colliding']:.0%}, {own['vetoed_of_harmless']:.0%}"
            chosen = own["outcome"]["score"], own["collisions"]["score"]
            row(f"**{model}**", *chosen, *correlation(own), f"{own['contact']['auroc']:.2f}", vetoes)
        row("the simulator itself", figures["outcome"]["oracle"], figures["collisions"]["oracle"])
    head = ["", "chosen by", "mean outcome", "collisions", "Spearman", "top-1 regret", "contact, AUROC",
            "vetoed of colliding, of harmless"]  # fmt: skip
    return markdown(head, rows)


def correlation(figures: dict) -> tuple[str, str]:
    low, high = figures["spearman_95"]
    return f"{figures['spearman']:.2f} ({low:.2f} to {high:.2f})", f"{figures['top1_regret']:.0%}"
