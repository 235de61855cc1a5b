"""The `astra` command: one word per job, each job in its own module.

A job's module has a docstring that describes the command, ``add_arguments(parser)``, which also sets the examples,
and ``run(args) -> int`` (the exit code). It is imported only when its word was typed, so `astra --help` answers at
once.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from types import ModuleType

from astra_ros import __version__
from astra_ros.commands.arguments import HelpFormat, OneLineParser, flags_of
from astra_ros.errors import UserError
from astra_ros.logs import handed_on
from astra_ros.settings import SettingError
from astra_ros.texts import one_line, with_names

# word -> one line for `astra --help`. The module of a word is commands/<word>.py, with _ for -.
COMMANDS = {
    "demo": "a simulated robot's plans are imagined, scored, and then really executed",
    "record": "make a data set from the simulator: play, pushes, misses, collisions",
    "import-bag": "make a data set from a real robot's rosbag2: its camera and its motion",
    "train": "train a world model on a data set; can be stopped and resumed",
    "export": "write what training made so far as a model that the nodes load",
    "style": "teach a model to take on the light and colours of an image",
    "eval": "measure a model on held-out scenes, beside copying the last frame",
    "rank": "over many scenes: does the score order plans as the simulator does?",
    "strategies": "many plans coarse to fine: the time, and whether the best plan stays the best",
    "explore": "how much of a house a rover sees, by imagination and without",
    "monitor": "how far real frames are from imagined ones; the limit above which the node warns",
    "bench": "how fast: camera image to scores; bench closed-loop: how well whole tasks end",
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
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "openvino": "openvino",
    "ompl": "planning",
    "pinocchio": "planning",
    "toppra": "planning",
    "rosbags": "data",
    "pyarrow": "data",
    "av": "data",
    "ray": "cluster",
}


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code (2: the command line was wrong)."""
    argv = (sys.argv[1:] if argv is None else argv) or ["--help"]
    word = next((argument for argument in argv if not argument.startswith("-")), "")
    if word not in COMMANDS:
        _parser().parse_args(argv)  # shows help or version, or exits with 2
    args = argparse.Namespace()
    try:
        module = importlib.import_module(module_of(word))
        args = _parser(word, module).parse_args(argv)
        with handed_on(_tell, _tell):
            return module.run(args)
    except ModuleNotFoundError as error:
        return _missing(word, error)
    except KeyboardInterrupt:  # also while modules are imported, which takes a second
        print(f"astra {word}: stopped", file=sys.stderr)
        return 130
    except (UserError, FileNotFoundError) as error:
        # These errors say what to do, and a traceback would hide that. Anything else is a bug.
        flags = getattr(args, "flags", {})
        if isinstance(error, UserError):  # a setting is named by its flag, if it has one
            error.thing = flags.get(error.thing, error.thing)
        if isinstance(error, SettingError):
            error.problem = f"{flags.get(error.name, error.name)} is {error.value}"
        print(f"astra {word}: {one_line(with_names(str(error), flags))}", file=sys.stderr)
        return 1


def _tell(text: str) -> None:
    print(text, file=sys.stderr)


def module_of(word: str) -> str:
    """The dotted name of the module behind a word."""
    return f"astra_ros.commands.{word.replace('-', '_')}"


def _parser(word: str = "", module: ModuleType | None = None) -> argparse.ArgumentParser:
    """Every command by name; the typed one also with its arguments."""
    parser = OneLineParser(
        prog="astra",
        description="See it before you move: a world model imagines a robot's plans as video, and scores them.",
        epilog=_EPILOG,
        formatter_class=_help_format,
    )
    parser.asks = f"astra {word}" if module else "astra"
    parser.add_argument("--version", action="version", version=f"astra_ros {__version__}")
    words = parser.add_subparsers(title="commands", metavar="<command>", required=True)
    for name, summary in COMMANDS.items():
        sub = words.add_parser(name, help=summary, formatter_class=HelpFormat, allow_abbrev=False)
        if name == word and module:
            sub.description = module.__doc__
            module.add_arguments(sub)
            sub.set_defaults(flags=flags_of(sub))
    return parser


def _help_format(prog: str) -> argparse.HelpFormatter:
    """Keeps line breaks, and leaves room for each summary on one line."""
    formatter = argparse.RawDescriptionHelpFormatter(prog, width=100)
    # argparse measures commands as if they were indented once, so the longest would not fit.
    formatter._action_max_length = 4 + max(map(len, COMMANDS))
    return formatter


def _missing(word: str, error: ModuleNotFoundError) -> int:
    """Print what to install. A missing module of this package is a bug and stays a traceback."""
    name = (error.name or "").split(".")[0]
    if name == "astra_ros":
        raise error
    extra = EXTRA_OF.get(name, "ros" if name.endswith(("_msgs", "_srvs")) else None)
    cure = f"pip install '.[{extra}]' in a checkout" if extra else f"pip install {name}"
    print(
        f"astra {word}: needs the Python package '{name}', which is not installed here. "
        f"Install it with: {cure}   (or `make demo` in a checkout, which installs everything)",
        file=sys.stderr,
    )
    return 1


_EPILOG = """\
examples:
  astra demo               see it work: a score table, out/imagined.mp4, out/contact_sheet.png
  astra demo --robot kuka  the same with another arm
  astra train --help       what a command takes, its defaults, and examples

the way to a model of your own:
  astra record (or astra import-bag), astra train, astra export, then astra eval, astra rank
  and astra bench; astra style teaches it to imagine in another look

on a robot, start the nodes instead:
  ros2 launch astra_ros imagine.launch.py --show-args"""


if __name__ == "__main__":
    sys.exit(main())
