"""The `astra` command: fast, and teaches without being asked twice."""

import argparse
import importlib
import re
import resource
import subprocess
import sys
from types import SimpleNamespace

import pytest

from astra_ros import __version__, cli
from astra_ros.commands.demo import HINTS
from astra_ros.errors import UserError
from astra_ros.simulation.worlds import WORLDS


def astra(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "astra_ros.cli", *words], capture_output=True, text=True, timeout=60)


def test_help_names_every_command_and_shows_a_first_step():
    result = astra("--help")
    assert result.returncode == 0
    for name, summary in cli.COMMANDS.items():
        assert re.search(rf"^ +{name} +{re.escape(summary)}$", result.stdout, re.MULTILINE)
    assert "astra demo" in result.stdout and "ros2 launch astra_ros" in result.stdout


def test_help_is_fast_because_it_imports_no_job():
    code = (
        "import sys; from astra_ros import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print('heavy:', sorted({'torch', 'numpy', 'rclpy', 'cv2', 'pybullet'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "heavy: []" in result.stdout

    # The processor's time, not the clock's: other processes may be busy.
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    astra("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_of_a_command_teaches(name):
    result = astra(name, "--help")
    assert result.returncode == 0, result.stderr
    text = result.stdout
    assert f"usage: astra {name}" in text
    assert re.search(rf"^examples?\b.*:\n(.*\n)*  astra {name}\b", text, re.MULTILINE), "no example"
    options = re.findall(r"^  (--[\w-]+)", text, re.MULTILINE)
    assert options, f"astra {name} takes no options?"
    assert [option for option in options if not described(text, option)] == []


def described(text: str, option: str) -> bool:
    """True if words stand behind or below an option in argparse's help."""
    block = re.search(rf"^  {option}\b(.*?)(?=^  -|^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    return bool(re.search(r"(  +|\n +)[a-z(]", block.group(1)))


@pytest.mark.parametrize("words", [["bogus"], ["demo", "--no-such-option"], ["demo", "--seed", "x"]])
def test_wrong_words_exit_2_and_say_what_is_known(words):
    result = astra(*words)
    assert result.returncode == 2 and result.stderr.count("\n") == 1
    assert words[-1] in result.stderr
    if words == ["bogus"]:
        assert all(name in result.stderr for name in cli.COMMANDS)
    else:
        assert "`astra demo --help`" in result.stderr


def choices_of(parser):
    """(words of the command line, choices) of every option with choices, those of subcommands too."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                yield from (([name, *words], choices) for words, choices in choices_of(sub))
        elif action.choices is not None and action.option_strings:
            yield [action.option_strings[0]], action.choices


@pytest.mark.parametrize("word", cli.COMMANDS)
def test_a_wrong_choice_is_told_in_one_line_with_what_there_is(word, capsys):
    module = importlib.import_module(cli.module_of(word))
    found = list(choices_of(cli._parser(word, module)._subparsers._group_actions[0].choices[word]))
    for words, choices in found:
        given = "-1" if isinstance(choices, range) else "nothing_like_it"
        with pytest.raises(SystemExit) as ended:
            cli.main([word, *words[:-1], f"{words[-1]}={given}"])
        said = capsys.readouterr().err
        assert ended.value.code == 2 and said.count("\n") == 1, words
        assert words[-1] in said and given in said
        assert isinstance(choices, range) or all(str(choice) in said for choice in choices)


@pytest.mark.parametrize(
    ("words", "hints"),
    [
        (["demo", "--world", "car"], ["--loop --world drive", "make demo LOOP=1 WORLD=drive"]),
        (["demo", "--loop", "--world", "car"], ["--loop --world drive"]),
        (["demo", "--robot", "rover"], ["--loop --world explore"]),
        (["demo", "--world", "kuka"], ["make demo ROBOT=kuka"]),
        (["record", "--worlds", "rover"], ["world explore"]),
        (["bench", "closed-loop", "--robots", "drive"], ["car"]),
    ],
)
def test_robots_and_worlds_that_are_mistaken_for_each_other_are_told_apart(words, hints, capsys):
    with pytest.raises(SystemExit):
        cli.main(words)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and all(hint in said for hint in hints)


@pytest.mark.parametrize("name", [*WORLDS, *(robot for spec in WORLDS.values() for robot in spec.robots)])
def test_the_demo_has_a_hint_for_every_robot_and_world(name):
    assert name in HINTS


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ("demo --world drive", "--world drive"),
        ("demo --loop --world drive --robot kuka", "--robot"),
        ("demo --loop --world drive --robot panda", "--robot"),  # the default, but given
        ("demo --loop --world explore --robot panda", "--robot"),
        ("demo --loop --domain 7", "--domain"),
        ("demo --improve-seconds 2", "--improve-seconds"),
        ("demo --loop --world drive --improve-seconds 2", "--improve-seconds"),
        ("bench --model tiny closed-loop", "closed-loop"),
        ("bench closed-loop --robots panda --distance-m 3", "--distance-m"),
        ("bench closed-loop --robots car rover --arm-choices 3", "--arm-choices"),
        ("eval tiny --ranking ranking.json", "--ranking"),
        ("train --stage dynamics --lpips-weights alexnet.ckpt", "--lpips-weights"),
        ("train --from tiny --compositor-steps 0 --lpips-weights alexnet.ckpt", "--lpips-weights"),
        ("export --model small --out out", "--model"),
        ("export --engine onnx --model small --run runs/tiny", "--run"),
        ("monitor --scenes 0 --tests 3", "--tests"),
        ("monitor --fit-data data --fit-scenes 99", "--fit-scenes"),
        ("monitor --fit-scenes 0 --fit-out fit.json", "--fit-out"),
        ("monitor --scenes 0 --fit-scenes 0", "--scenes 0 --fit-scenes 0"),
        ("rank --worlds drive --robots panda", "panda"),
        ("rank --worlds arm drive --robots panda", "world drive"),
        ("rank --obstacles table.yaml", "--obstacles"),
        ("record --worlds drive --robots panda", "panda"),
        ("record --worlds arm drive --robots panda", "world drive"),
        ("record --ray auto --workers 3", "--workers"),
        ("strategies --strategy all_at_once --doubt 3", "--doubt"),
        ("train --from tiny --preset small", "--preset"),
        ("train --preset paper --moved-weight 1", "--moved-weight"),
        ("train --one-pass --rollout-from 0.5", "--rollout-from"),
        ("train --strategy fsdp", "--strategy"),
    ],
)
def test_an_option_without_effect_beside_the_others_is_refused(words, option, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(words.split()) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"astra {words.split()[0]}: {option}: ") and said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_no_word_at_all_shows_the_help():
    result = astra()
    assert result.returncode == 0 and "the way to a model of your own" in result.stdout


def test_version():
    assert astra("--version").stdout.strip() == f"astra_ros {__version__}"


def job(monkeypatch, run) -> None:
    """Put a job of the test's own behind the word `train`."""
    module = SimpleNamespace(add_arguments=lambda parser: parser.add_argument("--steps", type=int, default=7), run=run)
    monkeypatch.setattr(cli.importlib, "import_module", lambda name: module)


def test_arguments_reach_the_job_and_its_exit_code_comes_back(monkeypatch):
    job(monkeypatch, lambda args: args.steps)
    assert cli.main(["train"]) == 7
    assert cli.main(["train", "--steps", "3"]) == 3


def test_a_user_error_is_one_line_and_exit_1(monkeypatch, capsys):
    def run(args):
        raise UserError("damaged", thing="model.safetensors", cure="copy it again")

    job(monkeypatch, run)
    assert cli.main(["train"]) == 1
    assert capsys.readouterr().err == "astra train: model.safetensors: damaged; copy it again\n"


def test_a_setting_that_is_refused_is_named_by_its_flag(tmp_path, capsys):
    assert cli.main(["import-bag", str(tmp_path), "--dt", "-1"]) == 1
    assert capsys.readouterr().err.startswith("astra import-bag: --dt: ")


@pytest.mark.parametrize(
    ("words", "flag"),
    [("explore --distance-m 0", "--distance-m"), ("demo --loop --improve-seconds nan", "--improve-seconds")],
)
def test_a_setting_out_of_its_range_is_named_by_its_flag(words, flag, capsys):
    assert cli.main(words.split()) == 1
    assert capsys.readouterr().err.startswith(f"astra {words.split()[0]}: {flag} is ")


def test_an_error_of_several_lines_is_told_in_one(monkeypatch, capsys):
    def run(args):
        raise UserError("not YAML: a: b\n  line 2", thing="a.yaml", cure="correct it")

    job(monkeypatch, run)
    assert cli.main(["train"]) == 1
    assert capsys.readouterr().err == "astra train: a.yaml: not YAML: a: b line 2; correct it\n"


@pytest.mark.parametrize(
    "words", ["rank", "eval", "strategies", "explore", "monitor", "bench closed-loop", "record", "train", "demo"]
)
def test_seeds_are_not_negative(words, capsys):
    flag = "--seed" if words in ("eval", "train", "demo") else "--first-seed"
    with pytest.raises(SystemExit) as ended:
        cli.main([*words.split(), flag, "-1"])
    assert ended.value.code == 2 and flag in capsys.readouterr().err


def test_two_options_for_one_setting_are_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["bench", "--engines", "torch", "--backend", "onnx"])
    told = capsys.readouterr().err
    assert ended.value.code == 2 and "--engines" in told and "--backend" in told


def test_settings_in_a_cure_are_named_by_their_flags(monkeypatch, capsys):
    def run(args):
        raise UserError("stops early", cure="raise `steps` or `other`")

    job(monkeypatch, run)
    assert cli.main(["train"]) == 1
    assert capsys.readouterr().err == "astra train: stops early; raise --steps or `other`\n"


def test_a_bug_keeps_its_traceback(monkeypatch):
    def run(args):
        raise ZeroDivisionError

    job(monkeypatch, run)
    with pytest.raises(ZeroDivisionError):
        cli.main(["train"])


def test_interrupt_ends_with_130(monkeypatch, capsys):
    def run(args):
        raise KeyboardInterrupt

    job(monkeypatch, run)
    assert cli.main(["train"]) == 130
    assert "stopped" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("package", "cure"),
    [("torch", ".[torch]"), ("pybullet", ".[sim]"), ("sensor_msgs", ".[ros]"), ("lpips", "pip install lpips")],
)
def test_missing_package_names_what_to_install(monkeypatch, capsys, package, cure):
    def run(args):
        raise ModuleNotFoundError(f"No module named '{package}.x'", name=f"{package}.x")

    job(monkeypatch, run)
    assert cli.main(["train"]) == 1
    assert package in (text := capsys.readouterr().err) and cure in text


def test_missing_module_of_our_own_is_a_bug(monkeypatch):
    def run(args):
        raise ModuleNotFoundError("No module named 'astra_ros.x'", name="astra_ros.x")

    job(monkeypatch, run)
    with pytest.raises(ModuleNotFoundError):
        cli.main(["train"])
