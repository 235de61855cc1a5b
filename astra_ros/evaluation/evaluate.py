"""`astra eval`: how good is the imagined video, and does it follow the plan?

On held-out scenes, per action space and horizon: what the autoencoder alone can do (ceiling), the model,
what the model decodes before anything is laid over it, and a copy of the last observed
frame; where the camera's way is known, also that frame moved along by geometry alone. Then two checks of
the actions: the same clips with the motion of another clip, and a probe, trained on real frames alone,
that reads poses from the imagined ones. Scenes that were recorded in a second style are also imagined in
that one: shown a picture of it, with the colours of that picture alone, and not shown one. With --report
also a page with curves and pictures.

Frames in which nothing has changed since the last observed one ask nothing, and copying is infinitely
good there: PSNR and SSIM are over the others. How many were left out is stated, and how well the
model holds still in them.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from astra_ros.commands.arguments import HelpFormat, at_least
from astra_ros.datasets.dataset import list_episodes, load_episode
from astra_ros.datasets.episode import DatasetError, Episode
from astra_ros.datasets.robot_renders import Drawer, undrawn_notes
from astra_ros.evaluation import perceptual
from astra_ros.evaluation.action_following import Follower
from astra_ros.evaluation.figures import DRIFT, HORIZONS, ROWS, figures_of, imagine_clips, mean_over_worlds
from astra_ros.evaluation.held_out import HeldOutClips, check_fits
from astra_ros.evaluation.report import write_report
from astra_ros.evaluation.results import check_writable, provenance, write_result
from astra_ros.evaluation.style_figures import STYLE_ROWS, imagine_styled
from astra_ros.inference.torch_style_file import style_digest

MODEL = "tiny"  # where none is named: its frames are as large as those of `astra record`
PROBE_EPISODES = 1000
USABLE_PROBE = 0.5  # share of the real frames whose pose a probe must find


def table(name: str, figures: dict) -> str:
    horizons = list(figures["psnr_db"]["model"])
    lines = [
        f"{name}: {figures['clips']} held-out clips",
        f"  {'PSNR dB (SSIM)':22}" + "".join(f"{f'{h} frames':>15}" for h in horizons),
    ]
    for row in figures["psnr_db"]:
        title = ROWS[row]
        cells = "".join(f"{figures['psnr_db'][row][h]:8.2f} ({figures['ssim'][row][h]:.2f})" for h in horizons)
        lines.append(f"  {title:22}{cells}")
    if figures["still"]["share"]:
        lines.append(
            f"  left out, since nothing had changed: {figures['still']['share']:.1%} of the "
            f"frames; the model reaches {figures['still']['psnr_db']:.1f} dB there"
        )
    if "following" in figures:
        lines.append(
            f"  pose read from the first {figures['following_frames']} frames: "
            + ", ".join(
                f"{ROWS.get(row, row)} {values['mean_error_m'] * 100:.1f} cm ({values['near']:.0%} near)"
                for row, values in figures["following"].items()
            )
        )
        seen = figures["following"]["real frames"]["near"]
        if seen < USABLE_PROBE:
            lines.append(
                f"  (the probe finds only {seen:.0%} of the poses in real frames: its figures "
                "say little; give it more --probe-data)"
            )
    for event, values in figures["events"].items():
        tells = ", ".join(
            f"AUROC {values[key]:.2f} ({what})"
            for key, what in (("auroc", "in which clips"), ("auroc_frames", "in which frames"))
            if values[key] is not None
        )
        tells = tells or f"in {values['base_rate']:.0%} of the clips, so nothing to tell apart"
        lines.append(
            f"  {event}: {tells}; mean probability {values['mean_probability']:.3f} where "
            f"it happens in {values['mean_frequency']:.3f} of the frames"
        )
    if "style" in figures:
        lines.append(f"  in another style, {figures['style']['clips']} clips, decoded alone, PSNR dB:")
        lines += [
            f"  {STYLE_ROWS[row]:22}" + "".join(f"{values[h]:8.2f}{'':7}" for h in horizons)
            for row, values in figures["style"]["psnr_db"].items()
        ]
    if "drift_db" in figures:
        lines.append(f"  drift: {figures['drift_db']:.2f} dB lost from frame {DRIFT[0]} to {DRIFT[1]}")
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = __doc__
    parser.formatter_class = HelpFormat
    parser.epilog = (
        "example:\n"
        "  astra record --out data/held_out --episodes 40 --first-seed 900000 --seconds 17\n"
        "  astra eval --model tiny --data data/held_out --report out/report "
        "--out docs/results/astra-tiny/evaluation.json\n"
    )
    parser.add_argument(
        "model", nargs="?", default=None, metavar="MODEL", help=f"shipped name or directory (default: {MODEL})"
    )
    parser.add_argument("--model", default=None, dest="model_named", metavar="MODEL", help="the same")
    parser.add_argument("--backend", default="torch", help="what runs the model: torch")
    parser.add_argument("--device", default="cpu", help="where it runs: cpu, cuda, cuda:0")
    parser.add_argument(
        "--data", type=Path, default=Path("data/held_out"), help="folder of held-out episodes from `astra record`"
    )
    parser.add_argument(
        "--probe-data", type=Path, default=Path("data/train"), help="episodes that the pose probes are trained on"
    )
    parser.add_argument(
        "--probes",
        type=Path,
        default=None,
        metavar="FOLDER",
        help="where trained pose probes are kept, to be there when another model is "
        "evaluated (default: PROBE_DATA/probes)",
    )
    parser.add_argument(
        "--no-probe",
        action="store_true",
        help="without the poses read from the frames: much quicker, where no probe is kept from before",
    )
    parser.add_argument(
        "--spaces",
        nargs="+",
        default=None,
        metavar="SPACE",
        help="only these action spaces (default: all that data and model share)",
    )
    parser.add_argument("--clips-per-episode", type=at_least(1), default=3, help="clips cut from each episode")
    parser.add_argument(
        "--horizon",
        type=at_least(1),
        default=None,
        help=f"frames to imagine (default: as the shortest episode allows, at most {HORIZONS[-1]})",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the noise and of where clips start")
    parser.add_argument("--no-drawings", action="store_true", help="imagine without the robot drawn along the plan")
    parser.add_argument(
        "--no-reprojection",
        action="store_true",
        help="imagine without the last picture as it will look from where a moving camera will be",
    )
    perceptual.add_arguments(parser)
    parser.add_argument(
        "--ranking",
        type=Path,
        default=None,
        metavar="FILE",
        help="result file of `astra rank` of the same model: its figures into the report too",
    )
    parser.add_argument("--out", type=Path, default=None, help="result file (JSON)")
    parser.add_argument(
        "--report",
        type=Path,
        default=None,
        metavar="FOLDER",
        help="write report.md and report.html with curves and pictures there",
    )


def figures_of_rank(path: Path, card) -> dict:
    """How well scores choose, from a result file of `astra rank`; a DatasetError if it is none of this model."""
    try:
        result = json.loads(path.read_text())
        figures = {name: result["overall"][name] for name in ("worlds", "spearman", "top1_regret")}
        measured = result["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"--ranking {path}: not a result file of `astra rank --out` ({type(error).__name__}: {error})"
        ) from error
    if measured != card.sha256[:12]:
        raise DatasetError(
            f"--ranking {path}: of weights {measured}, those of '{card.name}' are {card.sha256[:12]}; rank this model"
        )
    return figures


def follower_of(folder: Path, space: str, keep: Path) -> Follower:
    """The pose probe of an action space, trained on episodes of a folder."""
    try:
        return Follower.kept_or_trained(list_episodes(folder, space)[:PROBE_EPISODES], keep)
    except DatasetError as error:
        raise DatasetError(f"--probe-data: {error}") from error


def run(args: argparse.Namespace) -> int:
    from astra_ros.inference import load_backend

    if args.model and args.model_named:
        raise DatasetError(f"{args.model} and --model {args.model_named}: give one of the two")
    check_writable(args.out, args.report and args.report / "evaluation.json")
    model = load_backend(args.backend, args.model or args.model_named or MODEL, args.device)
    card = model.card
    wanted = args.spaces or list(card.action_spaces)
    if unknown := [space for space in wanted if space not in card.action_spaces]:
        raise DatasetError(
            f"--spaces: the model '{card.name}' does not know {', '.join(unknown)}; it "
            f"knows {', '.join(card.action_spaces)}"
        )
    by_space: dict[str, list[Episode]] = {}
    skipped: set[str] = set()
    for path in list_episodes(args.data):
        space = path.stem.rpartition("_")[0]
        if space in wanted:
            episode = load_episode(path, restyled=True)
            check_fits(episode, card)
            by_space.setdefault(space, []).append(episode)
        else:
            skipped.add(space)
    if not by_space:
        which = (
            f"--spaces asks for {', '.join(wanted)}"
            if args.spaces
            else f"'{card.name}' knows {', '.join(wanted)}; evaluate a model that was trained on them"
        )
        raise DatasetError(f"{args.data}: its episodes are of {', '.join(sorted(skipped))}, and {which}")
    if unknown := sorted(skipped - set(card.action_spaces)):
        print(f"note: '{card.name}' does not know {', '.join(unknown)}; not evaluated")
    if any(episode.restyled is not None for group in by_space.values() for episode in group) and not model.can_restyle:
        print(
            f"note: '{card.name}' cannot take on the look of a picture, so no scene is imagined in its second style; "
            f"train that with: astra style {card.path}"
        )
    if card.network.get("drawing") and not args.no_drawings:
        drawn = [path for space in by_space if space in card.cameras for path in list_episodes(args.data, space)]
        for text in undrawn_notes(args.data, drawn, card.image_size):
            print(f"note: {text}", file=sys.stderr)
    measures = perceptual.load(args, args.device)
    ranked = figures_of_rank(args.ranking, card) if args.ranking else {}
    figures, shown, in_style = {}, {}, {}
    horizons = {
        space: args.horizon or min(HORIZONS[-1], min(map(len, episodes)) - 1) for space, episodes in by_space.items()
    }
    for horizon in horizons.values():  # all that can be refused, before the work
        perceptual.check(measures, horizon)
    for space, episodes in sorted(by_space.items()):
        horizon = horizons[space]
        drawer = None
        if card.network.get("drawing") and not args.no_drawings:
            drawer = Drawer(args.data, card.image_size, card.cameras)
        clips = HeldOutClips(
            episodes, card, horizon, args.clips_per_episode, args.seed, drawer, reprojected=not args.no_reprojection
        )
        follower = None
        if clips.poses is not None and not args.no_probe:
            follower = follower_of(args.probe_data, space, args.probes or args.probe_data / "probes")
        elif not args.no_probe:
            print(
                f"note: {space}: no poses are read from the frames, since its episodes do not say where the tool, or "
                "the camera, was"
            )
        made = imagine_clips(model, clips, args.seed)
        figures[space] = {
            "world": episodes[0].world,
            "drawn": clips.robot_renders is not None,
            "reprojected": clips.camera_poses is not None,
            **figures_of(clips, made, follower, measures),
        }
        if (styled := imagine_styled(model, clips, args.seed)) is not None:
            figures[space]["style"], in_style[space] = styled
        shown[space] = {"truth": clips.future[:3], **{name: made[name][:3] for name in ROWS if name in made}}
        print(table(space, figures[space]), flush=True)
    result = {
        "model": card.name,
        "sha256": card.sha256[:12],
        "data": str(args.data),
        "dt_s": card.dt_s,
        "overall": mean_over_worlds(figures),
        "spaces": figures,
    }
    if in_style:
        result["style_sha256"] = style_digest(card.path)
    if ranked:
        result["ranking"] = ranked
    if args.out:
        write_result(args.out, result)
    if args.report:
        write_result(args.report / "evaluation.json", result)
        write_report(args.report, {**provenance(), **result}, shown, in_style)
    return 0
