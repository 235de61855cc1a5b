"""How long requests take: every engine, the imagine node, images of several sizes."""

from .markdown import markdown


def percentiles(times: dict, digits: int = 0) -> list[str]:
    return [f"{times[p]:.{digits}f} ms" for p in ("p50_ms", "p95_ms", "p99_ms")]


def speed(result: dict) -> str:
    """Every engine under every condition, beside the older build where one was measured."""
    key = f"times_faster_than_{result['against']['commit']}" if "against" in result else ""
    rows = []
    for measured in result["measurements"]:
        rate, load = measured["rate_hz"], ", one core kept busy" if measured["loaded_core"] else ""
        pace = f"at {rate:g} Hz" if rate else "back to back"
        request = f"{measured['plans']} x {measured['horizon']}, {pace}{load}"
        for engine, each in measured["engines"].items():
            ratio = "{median:.2f} ({q25:.2f} to {q75:.2f})".format(**each[key]) if key in each else ""
            cost = f"{each['cpu_ms']:.0f} ms", f"{each['share_of_peak']:.0%}"
            rows.append([request, engine, *percentiles(each["request"]), *cost, ratio])
    for engine, facts in result["engines"].items():
        for each in facts["over_topics"]:
            rate, load = each["rate_hz"], ", one core kept busy" if each["loaded_core"] else ""
            pace = f", at {rate:g} Hz" if rate else ""
            faster = f"{each[key]:.2f}" if key in each else ""
            rows.append([f"over topics{pace}{load}", engine, *percentiles(each["image_to_scores"]), "", "", faster])
    head = ["plans x frames", "engine", "p50", "p95", "p99", "processor time", "share of peak", key.replace("_", " ")]
    starts = [
        [engine, f"{each['start_up_s']:.1f} s", f"{each['peak_memory_mb']:.0f} MB", f"{each['gflop_per_request']:.1f}"]
        for engine, each in result["engines"].items()
    ]
    missing = "".join(f"\n`{engine}` was not measured: {why}\n" for engine, why in result["cannot_run"].items())
    facts_head = ["engine", "start to first scores, warm caches", "peak memory", "GFLOP of imagining a request"]
    parts = [markdown(head, rows), nodes(result), images(result), markdown(facts_head, starts) + missing]
    return "\n".join(part for part in parts if part)


def nodes(result: dict) -> str:
    """The imagine nodes as processes; empty where none was measured."""
    rows = [
        [engine, f"{node['start_up_s']:.1f} s", f"{node['peak_memory_mb']:.0f} MB", *percentiles(node["ros_adds"], 1)]
        for engine, facts in result["engines"].items()
        if (node := facts.get("node"))
    ]
    head = ["imagine node", "start to first scores", "peak memory", "ROS adds, p50", "p95", "p99"]
    return markdown(head, rows) if rows else ""


def images(result: dict) -> str:
    """Models for images of several sizes, in turns; empty where only one was measured."""
    rows = []
    for model in result.get("models", ()):
        for engine, each in model["engines"].items():
            size, ratio = "{1} x {0}".format(*model["image_size"]), each.get("times_the_time")
            times = "{median:.2f} ({q25:.2f} to {q75:.2f})".format(**ratio) if ratio else "1"
            flops = f"{model['gflop_per_request']:.1f}"
            imagining = f"{each['parts_ms']['imagine']:.0f} ms"
            rows.append([size, model["model"], engine, flops, *percentiles(each["request"])[:1], imagining, times])
    head = ["image", "model", "engine", "GFLOP", "p50", "of it imagining", "times the time of the first model"]
    return markdown(head, rows) if rows else ""
