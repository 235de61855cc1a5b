"""How long motions of arms take to plan."""

from .markdown import markdown


def planning(result: dict) -> str:
    """How long candidate motions take, a column for each arm."""
    robots = result["robots"]
    rows = {
        "request to candidates, p50": "p50_s", "p95": "p95_s", "longest": "most_s",
        "processor time of the planner with all candidates, p50": "processor_p50_s", "the same, p95": "processor_p95_s",
        "candidates within the time limit, mean": "mean_candidates", "the fewest": "least_candidates",
        "poses that cannot be reached": "refused",
    }  # fmt: skip
    head = [f"{result['candidates']} candidates, time limit {result['time_limit_s']:g} s", *robots]

    def shown(key: str, value: float) -> str:
        return f"{value:.2f} s" if key.endswith("_s") else f"{value:g}"

    text = markdown(
        head, [[title, *(shown(key, each[key]) for each in robots.values())] for title, key in rows.items()]
    )
    load = f"{result['load_before']:g} processes wanted a core when the measurement began."
    return f"{text}\n{load}\n"
