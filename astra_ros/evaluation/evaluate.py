"""How good is the imagined video of a model, and does it follow the plan? Figures and a report on held-out scenes."""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from pathlib import Path

from astra_ros.datasets.dataset import list_episodes, load_episode, read_footers
from astra_ros.datasets.episode import DatasetError, Episode
from astra_ros.datasets.robot_renders import Drawer, undrawn_notes
from astra_ros.errors import UserError
from astra_ros.evaluation.action_following import PoseReader
from astra_ros.evaluation.contact_calibration import ReliabilityBin
from astra_ros.evaluation.evaluation_result import EvaluationResult, OverallFigures
from astra_ros.evaluation.figures import figures_of, imagine_clips
from astra_ros.evaluation.held_out import HeldOutClips, check_fits
from astra_ros.evaluation.moving_things import moving_things
from astra_ros.evaluation.perceptual import PerceptualMetrics
from astra_ros.evaluation.ranking_result import OverallRanking
from astra_ros.evaluation.report import Shown, write_report
from astra_ros.evaluation.requests import EvaluationRequest
from astra_ros.evaluation.results import check_writable, write_result
from astra_ros.evaluation.space_figures import HORIZONS, ROWS, SpaceFigures
from astra_ros.evaluation.style_figures import imagine_styled
from astra_ros.evaluation.thing_detector import ThingDetector
from astra_ros.evaluation.thing_detector import kept_or_trained as thing_detector
from astra_ros.inference import ModelCard, WorldModel, load_world_model
from astra_ros.inference.torch_style_file import style_digest

PROBE_EPISODES = 1000
SHOWN_CLIPS = 3


class EvaluationError(UserError):
    """An evaluation cannot be made as it was asked for."""


def evaluate(request: EvaluationRequest) -> EvaluationResult:
    """Evaluate, print a table for each action space, and write the files.

    Raises UserError for what cannot be used: the model, the episodes, weights files, a ranking of another model, or
    files that cannot be written. Nearly all of it is checked before the work.
    """
    check_writable(request.out, request.report and request.report / "evaluation.json")
    model = load_world_model(request.backend, request.model, request.device)
    card = model.card
    by_space = _episodes(request, card)
    _print_notes(request, model, by_space)
    metrics = PerceptualMetrics.load(request.lpips_weights, request.fvd_weights, request.device)
    ranking, reliability = read_ranking(request.ranking, card) if request.ranking else (None, None)
    horizons = {
        space: request.horizon or min(HORIZONS[-1], min(map(len, episodes)) - 1) for space, episodes in by_space.items()
    }
    metrics.check_horizon(min(horizons.values()))
    figures: dict[str, SpaceFigures] = {}
    shown: dict[str, Shown] = {}
    for space, episodes in sorted(by_space.items()):
        drawer = Drawer(request.data, card.image_size, card.cameras) if _renders(request, card) else None
        clips = HeldOutClips(
            episodes, card, horizons[space], request.clips_per_episode, request.seed, drawer, request.reprojection
        )
        reader = _pose_reader(request, space, clips)
        made = imagine_clips(model, clips, request.seed)
        style, styled = imagine_styled(model, clips, request.seed)
        moving = moving_things(clips, made.videos, _thing_detectors(request, space, clips))
        figures[space] = figures_of(clips, made, reader, metrics, style, moving)
        rows = {name: made.videos[name][:SHOWN_CLIPS] for name in ROWS if name in made.videos}
        shown[space] = Shown({"truth": clips.future[:SHOWN_CLIPS], **rows}, styled)
        print(figures[space].table(space), flush=True)
    overall = OverallFigures.of(figures)
    style_sha256 = style_digest(card.path) if any(each.style for each in figures.values()) else None
    result = EvaluationResult(
        card.name, card.sha256[:12], str(request.data), card.dt_s, overall, figures, style_sha256, ranking, reliability
    )
    if request.out:
        write_result(request.out, result)
    if request.report:
        write_result(request.report / "evaluation.json", result)
        write_report(request.report, result, shown)
    return result


def _renders(request: EvaluationRequest, card: ModelCard) -> bool:
    return card.network.drawing and request.robot_renders


def _episodes(request: EvaluationRequest, card: ModelCard) -> dict[str, list[Episode]]:
    """Action space -> its episodes, of those that were asked for or that the model knows."""
    wanted = request.spaces or list(card.action_spaces)
    if unknown := [space for space in wanted if space not in card.action_spaces]:
        problem, cure = f"does not know the action spaces {', '.join(unknown)}", ", ".join(card.action_spaces)
        raise EvaluationError(problem, thing=f"model '{card.name}'", cure=f"choose from {cure}")
    by_space: dict[str, list[Episode]] = {}
    skipped: set[str] = set()
    for path in list_episodes(request.data):
        space = path.stem.rpartition("_")[0]
        if space in wanted:
            episode = load_episode(path, restyled=True)
            check_fits(episode, card)
            by_space.setdefault(space, []).append(episode)
        else:
            skipped.add(space)
    if not by_space:
        asked = "were asked for" if request.spaces else f"are what the model '{card.name}' knows"
        problem = f"its episodes are of {', '.join(sorted(skipped))}, but {', '.join(wanted)} {asked}"
        cure = "evaluate other episodes, or a model that was trained on these"
        raise EvaluationError(problem, thing=request.data, cure=cure)
    if unknown := sorted(skipped - set(card.action_spaces)):
        print(f"note: the model '{card.name}' does not know {', '.join(unknown)}; they are not evaluated")
    return by_space


def _print_notes(request: EvaluationRequest, model: WorldModel, by_space: dict[str, list[Episode]]) -> None:
    card = model.card
    in_two_styles = any(episode.restyled is not None for group in by_space.values() for episode in group)
    if in_two_styles and not model.can_restyle:
        cure = f"train that with: astra style {card.path}"
        print(f"note: the model '{card.name}' cannot restyle, so no scene is imagined in its second style; {cure}")
    if _renders(request, card):
        paths = [path for space in by_space if space in card.cameras for path in list_episodes(request.data, space)]
        for text in undrawn_notes(request.data, read_footers(paths).values(), card.image_size):
            print(f"note: {text}", file=sys.stderr)


def _pose_reader(request: EvaluationRequest, space: str, clips: HeldOutClips) -> PoseReader | None:
    if not request.pose_probe:
        return None
    if clips.poses is None:
        print(f"note: {space}: no poses are read, because its episodes have no label of the tool's or camera's pose")
        return None
    try:
        paths = list_episodes(request.probe_data, space)[:PROBE_EPISODES]
        return PoseReader.kept_or_trained(paths, request.probes or request.probe_data / "probes")
    except DatasetError as error:
        raise DatasetError(f"no pose probe: {error.problem}", thing=error.thing, cure=error.cure) from error


def _thing_detectors(request: EvaluationRequest, space: str, clips: HeldOutClips) -> dict[str, ThingDetector]:
    if not clips.places:
        return {}
    keep = request.probes or request.probe_data / "probes"
    paths: list[Path] = []
    try:
        paths = list_episodes(request.probe_data, space)
        return {label: thing_detector(paths, label, keep) for label in clips.places}
    except DatasetError as error:
        if not paths and not request.pose_probe and request.probe_data == EvaluationRequest.probe_data:
            return {}  # the default folder need not be there
        raise DatasetError(f"no detector: {error.problem}", thing=error.thing, cure=error.cure) from error


def read_ranking(path: Path, card: ModelCard) -> tuple[OverallRanking, dict[str, list[ReliabilityBin]] | None]:
    """How well scores choose, and robot -> reliability of contacts where it is there: from a file of `astra rank`.

    Raises EvaluationError where it is not one, or of another model.
    """
    try:
        result = json.loads(path.read_text())
        ranking = OverallRanking(*(result["overall"][field.name] for field in fields(OverallRanking)))
        measured = result["sha256"]
        curves = {
            robot: [ReliabilityBin(**each) for each in figures["contact"]["reliability"]]
            for robot, figures in result.get("robots", {}).items()
            if "contact" in figures
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"not a result file of `astra rank` ({type(error).__name__}: {error})"
        raise EvaluationError(problem, thing=path, cure="rank this model") from error
    if measured != card.sha256[:12]:
        problem = f"a ranking by weights {measured}; those of '{card.name}' are {card.sha256[:12]}"
        raise EvaluationError(problem, thing=path, cure="rank this model")
    return ranking, curves or None
