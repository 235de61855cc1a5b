"""`astra record`: many seeded episodes from the simulator, with workers side by side.

An episode is some seconds of play: good behaviour and bad, failures, collisions, random motion.
Seeds name the episodes, so a stopped recording goes on where it was, and anyone can make the same
files again. Two or three files an episode: `astra_ros/datasets/dataset.py` says what is in them.
"""

from __future__ import annotations

import argparse
import multiprocessing
import signal
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from astra_ros.commands.arguments import HelpFormat, at_least
from astra_ros.datasets.dataset import (
    HELD_OUT_FROM,
    PackedEpisode,
    check_alike,
    clear_parts,
    episode_path,
    has_its_videos,
    list_episodes,
    pack_episode,
    read_footer,
    save_packed,
)
from astra_ros.datasets.dataset_card import write_card
from astra_ros.datasets.episode import DatasetError, Episode, once_more
from astra_ros.datasets.workers import WorkersDied, local_workers, ray_workers
from astra_ros.simulation.worlds import WORLDS, make_world

DT_S = 0.25
SECONDS = 8.0
BEHAVIOUR_S = 4.0  # then the robot does something else; an arm's plans take as long
IMAGE_SIZE = 64
SEEDS_PER_JOB = 5  # a world takes a second to build, so each serves some seeds
STYLED_EVERY = 4  # of so many seeds one is recorded in another style too
OTHER_STYLE = 500_000_000  # its style is that of the seed so much further on, which no scene has
SAME = 1e-3  # rad, m/s, rad/s, m: what two plays of a scene may differ by and still look the same
FINER = 2  # drawn so much larger, and averaged: the renderer has no smooth edges


def record_episode(world, seed: int, image_size: int = IMAGE_SIZE, seconds: float = SECONDS) -> Episode:
    """Reset `world` to `seed` and play for `seconds`; frames of `image_size` pixels square.

    One seed in four is played a second time in another style: what `astra style` learns from, and of held-out
    seeds what it is measured on.
    """
    episode = _played(world, seed, None, image_size, seconds)
    if seed % STYLED_EVERY:
        return episode
    again = _played(world, seed, seed + OTHER_STYLE, image_size, seconds)
    return with_style_of(episode, again)


def with_style_of(episode: Episode, again: Episode) -> Episode:
    """`episode` with the frames of `again`, the same in another style, as its second look.

    What a world did before can change the last bits of what Bullet finds where things touch; the pictures
    are the same. Where motion or labels differ by more than SAME, they are not: the episode keeps its one look,
    and that is said, but a recording of hours does not end for it.
    """
    pairs = [
        (episode.motion, again.motion),
        *((values, again.labels[name]) for name, values in episode.labels.items() if values.dtype != bool),
    ]
    if all(np.allclose(one, other, rtol=0, atol=SAME, equal_nan=True) for one, other in pairs):
        return replace(episode, restyled=again.frames)
    apart = max(float(np.nan_to_num(np.abs(one - other)).max()) for one, other in pairs)
    print(
        f"note: {episode.title} went another way in its second style (by up to {apart:.2g}), which is left out",
        file=sys.stderr,
    )
    return episode


def _played(world, seed: int, style_seed: int | None, image_size: int, seconds: float) -> Episode:
    from astra_ros.camera.frame_size import to_model_size

    rng = np.random.default_rng([seed, 7])
    world.reset(seed, style_seed)
    frames, motions, behaviours = [], [], []
    labels: dict[str, list] = defaultdict(list)

    def capture():
        frames.append(to_model_size(world.render(), (image_size, image_size)))
        motions.append(world.motion())
        for name, value in world.labels().items():
            labels[name].append(value)

    capture()
    per_behaviour = round(BEHAVIOUR_S / DT_S)
    for index in range(round(seconds / DT_S)):
        if index % per_behaviour == 0:
            behaviours.append(world.play(rng, BEHAVIOUR_S))
        world.step(DT_S)
        capture()
    body = world.embodiment
    return Episode(
        frames=np.stack(frames),
        motion=np.array(motions, np.float32),
        labels={name: _column(values) for name, values in labels.items()},
        motion_names=body.motion_names,
        modality=body.modality,
        world=body.world,
        robot=body.robot,
        dt_s=DT_S,
        behaviour="+".join(behaviours),
        seed=seed,
        scene=world.scene(),
        camera=world.camera(),
    )


def _column(values: list) -> np.ndarray:
    column = np.array(values)
    return column if column.dtype == bool else column.astype(np.float32)


# One world of each kind is kept by a worker: building them takes longer than an episode.
_built: dict[tuple[str, str, int], object] = {}


def record_seeds(
    world_name: str, robot: str, seeds: list[int], image_size: int, crf: int, seconds: float
) -> list[tuple[str, int, PackedEpisode]]:
    """(action space, seed, episode) of each seed; runs in a worker."""
    key = (world_name, robot, FINER * image_size)
    if key not in _built:
        _built[key] = make_world(*key)
    world = _built[key]
    episodes = [record_episode(world, seed, image_size, seconds) for seed in seeds]
    return [(episode.space, episode.seed, pack_episode(episode, crf)) for episode in episodes]


def record(
    folder: Path,
    robots: list[tuple[str, str]],
    episodes: int,
    first_seed: int,
    workers: int,
    image_size: int = IMAGE_SIZE,
    crf: int = 0,
    seconds: float = SECONDS,
    ray_address: str | None = None,
    every: int = 1,
) -> int:
    """Record what is missing of `episodes` of each (world, robot); returns how many were made.

    Seeds are consecutive ones, or with `every` those of them that it divides.

    Raises DatasetError where the disk is full or workers keep dying; what is written stays, and the
    same call goes on from there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise DatasetError(f"{folder}: a file, expected the name of a folder") from error
    except OSError as error:
        raise DatasetError(f"{folder}: the folder cannot be made ({error}); give another --out") from error
    clear_parts(folder)
    # An episode that has lost a video is recorded again.
    there = {path.name for path in folder.glob("*.parquet") if has_its_videos(path)}
    check_alike(folder, (image_size, image_size), DT_S)
    first = first_seed + -first_seed % every
    seeds = range(first, first + every * episodes, every)
    jobs = []
    for world, robot in robots:
        space = f"{robot}_{make_modality(world, robot)}"
        wanted = [episode_path(folder, space, seed) for seed in seeds]
        check_length([path for path in wanted if path.name in there], round(seconds / DT_S) + 1)
        missing = [seed for seed, path in zip(seeds, wanted) if path.name not in there]
        jobs += [
            (world, robot, missing[i : i + SEEDS_PER_JOB], image_size, crf, seconds)
            for i in range(0, len(missing), SEEDS_PER_JOB)
        ]
    total, made = sum(len(job[2]) for job in jobs), 0
    # All robots from the start, so that a stopped recording has some of each.
    jobs.sort(key=lambda job: job[2][0])
    side_by_side = ray_workers(ray_address) if ray_address else local_workers(workers)
    with tqdm(total=total, unit="episode", desc=f"record {folder}") as bar:
        try:
            for done in side_by_side(record_seeds, jobs):
                for space, seed, packed in done:
                    save_packed(episode_path(folder, space, seed), packed)
                    made += 1
                    bar.update()
            for text in write_card(folder):
                print(f"note: {text}", file=sys.stderr)
        except KeyboardInterrupt:
            bar.write(
                f"stopped; {made} episodes were recorded and are whole; the same command goes on from there",
                file=sys.stderr,
            )
            raise
        except OSError as error:
            raise DatasetError(
                f"{folder}: {error}; {made} episodes were recorded and are whole. "
                f"{once_more(error)}: it goes on from there"
            ) from error
        except WorkersDied as error:
            advice = "Where workers run out of memory, give fewer --workers; the same" * (not ray_address)
            raise DatasetError(
                f"{error}; {made} episodes were recorded and are whole. "
                f"{advice or 'The same'} command goes on from there"
            ) from error
    return made


def check_length(recorded: list[Path], frames: int) -> None:
    """Raises DatasetError where episodes that are there already are longer or shorter than wanted."""
    for path in recorded:
        try:
            found = read_footer(path)["frames"][0]
        except DatasetError:  # damaged: `load_episode` says so
            continue
        if found != frames:
            raise DatasetError(
                f"{path}: {(found - 1) * DT_S:g} s long, and --seconds asks for "
                f"{(frames - 1) * DT_S:g}; record into another folder, or delete "
                "the episodes there"
            )
        return  # one tells of all: they are made with one command


def make_modality(world: str, robot: str) -> str:
    """The modality of a robot, which names its files, without building its world."""
    return WORLDS[world].robots[robot]


def parse_robots(worlds: list[str], robots: list[str] | None) -> list[tuple[str, str]]:
    """(world, robot) of every robot of the worlds, or of those named.

    Raises DatasetError where a named robot is in none of the worlds.
    """
    everyone = [(world, robot) for world in worlds for robot in WORLDS[world].robots]
    if robots is None:
        return everyone
    known = [robot for _, robot in everyone]
    if unknown := [robot for robot in robots if robot not in known]:
        raise DatasetError(f"--robots: no {', '.join(unknown)} in {', '.join(worlds)}; there are {', '.join(known)}")
    return [pair for pair in everyone if pair[1] in robots]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    robots = {world: ", ".join(spec.robots) for world, spec in WORLDS.items()}
    parser.description = __doc__
    parser.formatter_class = HelpFormat
    parser.epilog = (
        "worlds and their robots:\n"
        + "".join(f"  {world:9} {names}\n" for world, names in robots.items())
        + "\nexamples:\n"
        "  astra record --out data/train --episodes 700\n"
        "  astra record --out data/styles --episodes 75 --two-styles\n"
        "  astra record --out data/drive --worlds drive --episodes 2000 --workers 8\n"
        f"  astra record --out data/held_out --episodes 40 --first-seed {HELD_OUT_FROM} --seconds 17\n"
    )
    parser.add_argument("--out", type=Path, default=Path("data/train"), help="folder of episodes")
    parser.add_argument("--worlds", nargs="+", default=list(WORLDS), choices=list(WORLDS), help="simulated worlds")
    parser.add_argument(
        "--robots", nargs="+", default=None, metavar="ROBOT", help="only these of their robots (default: all)"
    )
    parser.add_argument("--episodes", type=at_least(1), default=700, help="episodes of each robot")
    parser.add_argument(
        "--first-seed", type=at_least(0), default=0, help=f"seeds from {HELD_OUT_FROM} on are for evaluation"
    )
    parser.add_argument(
        "--two-styles",
        action="store_true",
        help=f"only scenes that are played in two styles, one seed in {STYLED_EVERY}: what `astra style` learns from",
    )
    parser.add_argument(
        "--size", type=at_least(16), default=IMAGE_SIZE, help="rows and columns of a frame, pixels; even"
    )
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="length of an episode; 17 and more to evaluate 64 frames ahead"
    )
    parser.add_argument(
        "--crf",
        type=at_least(0, 51),
        default=0,
        help="video quality: 0 keeps every bit, 10 halves the files and looks the same (x264's constant rate factor)",
    )
    parser.add_argument(
        "--workers",
        type=at_least(1),
        default=multiprocessing.cpu_count(),
        help="processes side by side (default: one a core)",
    )
    parser.add_argument(
        "--ray",
        default=None,
        metavar="ADDRESS",
        dest="ray_address",
        help="spread the work over a Ray cluster instead, e.g. 'auto' on one of its "
        "machines; 'local' starts one of this machine (needs, in a checkout: pip install '.[cluster]')",
    )


def run(args: argparse.Namespace) -> int:
    if not DT_S <= args.seconds <= 3600:
        raise DatasetError(f"--seconds {args.seconds:g}: expected {DT_S:g} to 3600")
    if args.size % 2:
        raise DatasetError(f"--size {args.size}: video needs an even number of rows")
    robots = parse_robots(args.worlds, args.robots)
    # Ends like Ctrl-C, so that the workers are ended too.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        made = record(
            args.out,
            robots,
            args.episodes,
            args.first_seed,
            args.workers,
            args.size,
            args.crf,
            args.seconds,
            args.ray_address,
            STYLED_EVERY if args.two_styles else 1,
        )
    finally:
        signal.signal(signal.SIGTERM, before)
    print(f"{made} episodes recorded, {len(list_episodes(args.out))} in {args.out}", file=sys.stderr)
    return 0
