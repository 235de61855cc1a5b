"""How long it takes from a camera image to scores: every engine, beside a plain denoising loop and an older build.

In one process: each engine runs in a process of its own. Requests go to them in turns, so whatever else the machine
does meets all of them alike. A request begins with new camera images and ends with scores. The table shows

  p50, p95, p99    a request takes at most so long in 50, 95 and 99 % of the cases
  processor time   of all threads together; it tells what the request costs where other processes use the cores too
  of peak          floating-point operations a second while imagining, as a share of what large matrix products reach
  times faster     than the older build, or than the first engine: the median of requests that ran after one another,
                   and the quartiles

The plain loop takes 50 denoising steps, imagines one plan after the other, and encodes the history again for every
frame.

Over topics: the imagine node runs in a process of its own and gets a camera's images and plans. The time runs from
the publication of an image to the arrival of the scores that bear its stamp. ROS adds what is left of that when the
plans follow the image at once and the model's own time, which the node tells, is taken away.

--against takes an older build out of git into a temporary folder. Its torch engine runs with the models of its own time
and the Python packages that are installed now.

`astra bench closed-loop` measures how well whole tasks end instead; it has options of its own.
"""

from __future__ import annotations

import argparse
import signal
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from astra_ros.commands import closed_loop
from astra_ros.commands.arguments import HelpFormat, OneLineParser, UnusedOption, add_options, flags_of, request_of
from astra_ros.evaluation.requests import BenchRequest

if TYPE_CHECKING:
    from astra_ros.evaluation.bench_processes import BenchScene
    from astra_ros.evaluation.bench_topics import RunningNode


def add_arguments(parser: OneLineParser) -> None:
    parser.epilog = (
        "examples:\n"
        "  astra bench --in-process --against HEAD~1     is the present build faster? without ROS\n"
        "  astra bench --engines auto                    what the node would take with backend:=auto\n"
        "  astra bench --rate 10 --load                  ten requests a second; idle, and beside a busy core\n"
        "  astra bench --grid 1x16 32x16 8x4 --runs 20   how the time grows with plans and frames\n"
        "  astra bench --models tiny                     and with the size of the image: tiny has 64 x 64 pixels\n"
    )
    add_options(parser, BenchRequest)
    parser.add_argument("--backend", dest="engines", nargs=1, metavar="NAME", help="the same as --engines NAME")
    parser.add_argument("--in-process", action="store_true", help="do not measure over topics")
    parser.set_defaults(measure=_speed, before=parser.given)
    others = parser.add_subparsers(title="other measurements", metavar="closed-loop")
    tasks = others.add_parser(
        "closed-loop",
        help="how well whole tasks end",
        description=closed_loop.__doc__,
        formatter_class=HelpFormat,
        allow_abbrev=False,
    )
    closed_loop.add_arguments(tasks)
    tasks.set_defaults(measure=closed_loop.run, flags=flags_of(tasks))


def run(args: argparse.Namespace) -> int:
    # SIGTERM ends it like Ctrl-C, which also ends the processes that it has started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if args.measure is closed_loop.run and args.before:
        problem = "options that stand before closed-loop are those of another measurement"
        raise UnusedOption(problem, thing="closed-loop", cure="write its options behind it")
    return args.measure(args)


def _speed(args: argparse.Namespace) -> int:
    from astra_ros.evaluation.benchmark import bench

    if args.in_process:
        bench(request_of(BenchRequest, args))
        return 0
    from astra_ros.nodes.client.topic_latency import TopicScene, imagine_node

    parameters = {name: getattr(args, name) for name in ("model", "device", "horizon")}

    def start_node(
        engine: str, scene: BenchScene, plans: int, build: Path | None
    ) -> AbstractContextManager[RunningNode]:
        of_topics = TopicScene(scene.robot, scene.image, scene.goal, scene.plans[plans])
        return imagine_node({**parameters, "backend": engine}, of_topics, build)

    bench(request_of(BenchRequest, args), start_node)
    return 0
