"""The `astra` command: one word per job, each job in its own module.

A job's module has ``add_arguments(parser)`` and ``run(args) -> int`` (the exit code). It is
imported only when its word was typed, so `astra --help` answers at once.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from dataclasses import dataclass
from types import ModuleType

from astra_ros import __version__


@dataclass(frozen=True)
class Command:
    """One word of the command line.

    Attributes:
        module: where the job is done.
        summary: one line for `astra --help`.
        examples: (command line, what it does) pairs for `astra <word> --help`.
    """

    module: str
    summary: str
    examples: tuple[tuple[str, str], ...]


COMMANDS = {
    "demo": Command(
        "astra_ros.nodes.demo",
        "a simulated robot's plans are imagined, scored and then really executed",
        (
            ("astra demo", "Panda arm, shipped model; pictures and video in out/"),
            ("astra demo --robot kuka --seed 3", "another arm, another scene"),
        ),
    ),
    "record": Command(
        "astra_ros.learning.record",
        "make a data set from the simulator: play, pushes, misses and collisions",
        (("astra record --help", "say what to record, how much of it, and where"),),
    ),
    "train": Command(
        "astra_ros.learning.train",
        "train a world model on a data set; stops and resumes at any time",
        (("astra train --help", "stages, presets, and how to resume a run"),),
    ),
    "eval": Command(
        "astra_ros.learning.evaluate",
        "measure a model on held-out scenes, beside copying the last frame",
        (("astra eval --help", "which model, which scenes, and where the figures go"),),
    ),
    "rank": Command(
        "astra_ros.learning.rank",
        "does the score order plans as the simulator does? over many scenes",
        (("astra rank --help", "how many scenes, and where the figures go"),),
    ),
    "bench": Command(
        "astra_ros.learning.bench",
        "how fast: camera image to scores, beside the plain denoising loop",
        (("astra bench --help", "how many plans and steps, and on which device"),),
    ),
}

# Import name -> the extra of this package that installs it.
EXTRA_OF = {
    "rclpy": "ros",
    "cv_bridge": "ros",
    "pybullet": "sim",
    "pybullet_data": "sim",
    "imageio_ffmpeg": "sim",
    "torch": "torch",
    "safetensors": "torch",
}


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code (2: the command line was wrong)."""
    argv = sys.argv[1:] if argv is None else argv
    word = next((argument for argument in argv if not argument.startswith("-")), None)
    module = None
    if word in COMMANDS:
        try:
            module = importlib.import_module(COMMANDS[word].module)
        except ModuleNotFoundError as error:
            return _missing(word, error)
    args = _parser(word, module).parse_args(argv)
    try:
        return module.run(args)
    except ModuleNotFoundError as error:
        return _missing(word, error)
    except KeyboardInterrupt:
        print(f"astra {word}: stopped", file=sys.stderr)
        return 130
    except Exception as error:
        # Our own errors say what to do; a traceback would only hide that. Anything else is a bug.
        if type(error).__module__.startswith("astra_ros") or isinstance(error, FileNotFoundError):
            print(f"astra {word}: {error}", file=sys.stderr)
            return 1
        raise


def _parser(word: str | None, module: ModuleType | None) -> argparse.ArgumentParser:
    """Every command by name; the typed one also with its arguments."""
    parser = argparse.ArgumentParser(
        prog="astra",
        description="See it before you move: a world model imagines a robot's plans as video, and "
        "scores them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"astra_ros {__version__}")
    words = parser.add_subparsers(title="commands", metavar="<command>", required=True)
    for name, command in COMMANDS.items():
        sub = words.add_parser(
            name,
            help=command.summary,
            description=command.summary[0].upper() + command.summary[1:] + ".",
            epilog=_examples(command.examples),
            formatter_class=_CommandHelp,
        )
        if name == word:
            module.add_arguments(sub)
    return parser


class _CommandHelp(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows defaults, and leaves the examples' line breaks alone."""


def _examples(examples: tuple[tuple[str, str], ...]) -> str:
    width = max(len(line) for line, _ in examples)
    rows = [f"  {line:<{width}}   {what}" for line, what in examples]
    return "\n".join(["examples:", *rows])


def _missing(word: str, error: ModuleNotFoundError) -> int:
    """Say what to install; a module of our own that is missing is a bug and stays a traceback."""
    name = (error.name or "").split(".")[0]
    if name == "astra_ros":
        raise error
    extra = EXTRA_OF.get(name, "ros" if name.endswith(("_msgs", "_srvs")) else None)
    cure = f"pip install 'astra_ros[{extra}]'" if extra else f"pip install {name}"
    print(
        f"astra {word}: needs the Python package '{name}', which is not installed here. "
        f"Install it with: {cure}   (or `make demo` in a checkout, which installs everything)",
        file=sys.stderr,
    )
    return 1


_EPILOG = (
    _examples(
        (
            ("astra demo", "see it work: out/imagined.mp4, out/contact_sheet.png, a score table"),
            ("astra <command> --help", "what a command takes, with its defaults"),
        )
    )
    + """

the way to a model of your own:
  astra record -> astra train -> astra eval -> astra rank, bench

On a robot, start the nodes instead: ros2 launch astra_ros imagine.launch.py --show-args"""
)


if __name__ == "__main__":
    sys.exit(main())
