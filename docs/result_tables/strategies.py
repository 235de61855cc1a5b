"""What a strategy keeps of the full ranking, and in what time."""

from .markdown import markdown


def strategies(result: dict) -> str:
    """A row for each robot and one for all."""
    rows = []
    for robot, of in [*result["robots"].items(), ("**all**", result["overall"])]:
        first = "-" if of["kept_first"] is None else f"{of['kept_first']:.0%}, {of['kendall_first']:.2f}"
        kept = "{:.0%} ({:.0%} to {:.0%})".format(of["kept"], *of["kept_95"])
        regret = f"{of['regret']:.3f}, {of['regret_most']:.3f}"
        times = (
            "{median:.2f} ({q25:.2f} to {q75:.2f})".format(**of[clock][ratio])
            for clock in ("processor", "wall")
            for ratio in ("of_full", "of_few")
        )
        refined, tau = f"{of['refined']:.1f}", f"{of['kendall']:.2f}"
        rows.append([f"{robot}, {of['scenes']} scenes", kept, regret, tau, first, refined, *times])
    many, few = result["plans"], result["few"]
    head = [
        "",
        "winner kept (95 % interval)",
        "regret: mean, largest",
        "Kendall",
        "first look: kept, Kendall",
        f"refined of {many}",
        f"processor time / {many} in full",
        f"processor time / {few} in full",
        f"time / {many} in full",
        f"time / {few} in full",
    ]
    settings = ", ".join(f"`{name}` {value:g}" for name, value in result["settings"].items())
    load = f"{result['load_before']:g} processes wanted a core when the measurement began."
    return f"{markdown(head, rows)}\n`{result['strategy']}` with {settings}; {result['runs_on']}. {load}\n"
