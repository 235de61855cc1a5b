"""Seeded episodes from the simulator, recorded by parallel workers.

An episode is some seconds of play: good behaviour and bad, failures, collisions, random motion. Seeds name the
episodes, so a stopped recording goes on where it was, and the same request makes the same files again. The files of an
episode are explained in `astra_ros/datasets/dataset.py`.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from astra_ros.datasets.branches import CHOICES, FRAMES, MADE, PROPOSED, TRIED, Branches, column
from astra_ros.datasets.dataset import (
    HELD_OUT_FROM,
    PackedEpisode,
    check_alike,
    episode_path,
    has_its_videos,
    pack_episode,
    read_footer,
    save_packed,
)
from astra_ros.datasets.dataset_card import write_card
from astra_ros.datasets.episode import DatasetError, Episode
from astra_ros.datasets.video_file import LOSSLESS
from astra_ros.datasets.workers import WorkersDied, local_workers, ray_workers
from astra_ros.errors import UserError
from astra_ros.files import OutputError, remove_stale_parts
from astra_ros.plans.durations import PLAN_S, STEP_S
from astra_ros.settings import MOST_SEED, setting
from astra_ros.simulation.worlds import (
    WORLDS,
    World,
    check_a_robot_each,
    check_one_world_each,
    default_worlds,
    make_world,
)

SECONDS = 8.0
IMAGE_SIZE = 64
SEEDS_PER_JOB = 5  # a world takes a second to build, so each serves some seeds
STYLED_EVERY = 4  # one seed in so many is also recorded in another style
OTHER_STYLE = 500_000_000  # added to a seed, for the style of its second recording; no scene has such a seed
SAME = 1e-3  # rad, m/s, rad/s, m: two plays of a scene that differ by less look the same
BRANCHES = 1000  # at most of a seed; they are numbered from so many times the seed on
FINER = 2  # rendered larger by this factor, then averaged, since the renderer does not smooth edges


def record_episode(world, seed: int, image_size: int = IMAGE_SIZE, seconds: float = SECONDS) -> Episode:
    """Reset `world` to `seed` and play for `seconds`, with frames of `image_size` pixels square.

    One seed in four is played a second time in another style. `astra style` learns from these, and is measured on
    those of held-out seeds.
    """
    episode = _played(world, seed, None, image_size, seconds)
    if seed % STYLED_EVERY:
        return episode
    again = _played(world, seed, seed + OTHER_STYLE, image_size, seconds)
    return with_style_of(episode, again)


def with_style_of(episode: Episode, again: Episode) -> Episode:
    """`episode` with the frames of `again`, the same scene in another style, as `restyled`.

    Earlier episodes of a world can change the last bits of Bullet's contacts, which no frame shows. Where motion or
    labels differ by more than SAME, the episode stays without a second style. That is printed and is not an error,
    since a recording may take hours.
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
    per_behaviour = round(PLAN_S / STEP_S)
    for index in range(round(seconds / STEP_S)):
        if index % per_behaviour == 0:
            behaviours.append(world.play(rng, PLAN_S))
        world.step(STEP_S)
        capture()
    body = world.embodiment
    columns = {name: column(values) for name, values in labels.items()}
    kind = body.motion_names, body.modality, body.world, body.robot, STEP_S, "+".join(behaviours), seed
    motion = np.array(motions, np.float32)
    return Episode(np.stack(frames), motion, columns, *kind, scene=world.scene(), camera=world.camera())


# One world of each kind is kept by a worker: building them takes longer than an episode.
_built: dict[tuple[str, str, int], World] = {}


def record_seeds(
    world_name: str, robot: str, seeds: list[int], image_size: int, crf: int, seconds: float, branches: int
) -> list[tuple[str, int, list[tuple[int, PackedEpisode]]]]:
    """(action space, seed, [(number, episode)]) of each seed: one episode, or its branches, the first one last.

    Runs in a worker.
    """
    key = (world_name, robot, FINER * image_size)
    if key not in _built:
        _built[key] = make_world(*key)
    world = _built[key]
    answers = []
    for seed in seeds:
        if branches:
            made = Branches(world, seed, image_size, branches).of(round(seconds / PLAN_S))
            numbered = [(BRANCHES * seed + index, made[index]) for index in reversed(range(len(made)))]
        else:
            numbered = [(seed, record_episode(world, seed, image_size, seconds))]
        packed = [(number, pack_episode(episode, crf)) for number, episode in numbered]
        answers.append((world.embodiment.space, seed, packed))
    return answers


@dataclass(frozen=True)
class RecordRequest:
    """What is to be recorded, and by whom. What is in the folder already is not recorded again.

    Raises UserError where a value cannot be used.
    """

    folder: Path = setting(Path("data/train"), "folder of episodes", flag="--out", metavar="OUT")
    robots: Sequence[tuple[str, str]] = ()  # (world, robot) of each
    episodes: int = setting(700, "episodes of each robot", 1)
    first_seed: int = setting(0, f"seeds from {HELD_OUT_FROM} on are for evaluation", 0, MOST_SEED)
    two_styles: bool = setting(
        False, f"only scenes that are played in two styles, one seed in {STYLED_EVERY}: what `astra style` learns from"
    )
    branches: int = setting(
        0,
        "record what comes of so many plans at each choice, without pictures, in place of play: outcomes for "
        "`astra train --branches`. Then `episodes` counts scenes of each robot, which give a file for each plan at "
        "each choice; 0: record play",
        0,
        PROPOSED,
    )
    size: int = setting(IMAGE_SIZE, "rows and columns of a frame, pixels; even", 16)
    seconds: float = setting(
        SECONDS, "length of an episode; 17 and more to evaluate 64 frames ahead; with branches 4 for each choice"
    )
    crf: int = setting(
        LOSSLESS,
        "video quality: 0 keeps every bit, 10 halves the files and looks the same (x264's constant rate factor)",
        0,
        51,
    )
    workers: int = setting(1, "processes side by side (default: one a core)", 1)
    ray_address: str | None = setting(
        None,
        "spread the work over a Ray cluster instead, e.g. 'auto' on one of its "
        "machines; 'local' starts one of this machine (needs, in a checkout: pip install '.[cluster]')",
        flag="--ray",
        metavar="ADDRESS",
    )

    def __post_init__(self) -> None:
        if not STEP_S <= self.seconds <= 3600:
            raise UserError(f"{self.seconds:g} s", thing="seconds", cure=f"give {STEP_S:g} to 3600")
        longest = PLAN_S * (BRANCHES // (PROPOSED + 1))
        if self.branches and (self.seconds % PLAN_S or not 0 < self.seconds <= longest):
            cure = f"with branches, give a multiple of {PLAN_S:g} up to {longest:g}"
            raise UserError(f"{self.seconds:g} s", thing="seconds", cure=cure)
        if self.branches and self.two_styles:
            raise UserError("branches have no second style", thing="two_styles", cure="leave out one of both")
        if self.size % 2:
            raise UserError(f"{self.size} pixels", thing="size", cure="give an even number: video needs it")

    @property
    def choices(self) -> int:
        """Of each scene, with branches."""
        return round(self.seconds / PLAN_S)

    @property
    def seeds(self) -> range:
        step = STYLED_EVERY if self.two_styles else 1
        first = self.first_seed + -self.first_seed % step
        return range(first, first + step * self.episodes, step)


def record(request: RecordRequest) -> int:
    """Record the episodes that are missing; returns how many were made.

    Raises UserError where the folder cannot be used, the disk is full or workers keep dying. Episodes that are
    written stay, and the same request goes on from there.
    """
    folder, size = request.folder, request.size
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise OutputError("a file", thing=folder, cure="name a folder") from error
    except OSError as error:
        raise OutputError(f"the folder cannot be made ({error.strerror})", thing=folder, cure="name another") from error
    remove_stale_parts(folder)
    # An episode that has lost a video is recorded again.
    there = {path.name for path in folder.glob("*.parquet") if has_its_videos(path)}
    check_alike(folder, (size, size), STEP_S, branches=bool(request.branches))
    jobs = []
    for world, robot in request.robots:
        space = f"{robot}_{WORLDS[world].robots[robot]}"
        # The first branch of a scene is written last.
        each = BRANCHES if request.branches else 1
        paths = {seed: episode_path(folder, space, each * seed) for seed in request.seeds}
        _check_alike([path for path in paths.values() if path.name in there], world, request)
        missing = [seed for seed, path in paths.items() if not _is_whole(path, there)]
        count = 1 if request.branches else SEEDS_PER_JOB  # a scene with branches takes as long as many episodes
        jobs += [
            (world, robot, missing[i : i + count], size, request.crf, request.seconds, request.branches)
            for i in range(0, len(missing), count)
        ]
    total, made, bare = sum(len(job[2]) for job in jobs), 0, 0
    # All robots from the start, so that a stopped recording has some of each.
    jobs.sort(key=lambda job: job[2][0])
    run = ray_workers(request.ray_address) if request.ray_address else local_workers(request.workers)
    unit = "scene" if request.branches else "episode"
    with tqdm(total=total, unit=unit, desc=f"record {folder}") as bar:
        try:
            for done in run(record_seeds, jobs):
                for space, seed, episodes in done:
                    if request.branches:
                        _forget(folder, space, seed)
                    for number, packed in episodes:
                        save_packed(episode_path(folder, space, number), packed)
                    made += len(episodes)
                    bare += not episodes
                    bar.update()
            if bare:
                told = "no plan was proposed there; the same command tries them again"
                print(f"note: scenes without branches: {bare}; {told}", file=sys.stderr)
            if not any(folder.glob("*.parquet")):
                cure = "record more scenes, or in another world"
                raise DatasetError("no plan was proposed in any of the scenes", thing=folder, cure=cure)
            for text in write_card(folder):
                print(f"note: {text}", file=sys.stderr)
        except KeyboardInterrupt:
            bar.write(f"stopped; {_recorded(made)}; repeat the command to go on from there", file=sys.stderr)
            raise
        except OSError as error:
            raise OutputError.of(folder, error, _recorded(made)) from error
        except WorkersDied as error:
            cure = "repeat the command to go on from there"
            if not request.ray_address:
                cure += ", with fewer workers where memory ran out"
            raise WorkersDied(f"{error}; {_recorded(made)}", thing=folder, cure=cure) from error
    return made


def _forget(folder: Path, space: str, seed: int) -> None:
    """Delete what is there of a scene's branches: some of a stopped recording, perhaps of another command."""
    for number in range(BRANCHES * seed, BRANCHES * (seed + 1)):
        path = episode_path(folder, space, number)
        path.unlink(missing_ok=True)  # the table first: without it, a video is no episode
        path.with_suffix(".mp4").unlink(missing_ok=True)


def _is_whole(path: Path, there: set[str]) -> bool:
    """Whether an episode is among the files `there`, or all branches of the scene whose first one is at `path`."""
    if path.name not in there:
        return False
    try:
        made = read_footer(path).get("siblings", {}).get(MADE, 1)
    except DatasetError:  # damaged: `load_episode` says so
        return True
    space, _, number = path.stem.rpartition("_")
    return all(episode_path(path.parent, space, int(number) + index).name in there for index in range(made))


def _recorded(count: int) -> str:
    return f"{count} episodes were recorded and are whole"


def _check_alike(recorded: list[Path], world: str, request: RecordRequest) -> None:
    """Raises DatasetError where episodes that are there are of another world, or longer or shorter than wanted."""
    wanted = FRAMES if request.branches else round(request.seconds / STEP_S) + 1
    for path in recorded:
        try:
            footer = read_footer(path)
        except DatasetError:  # damaged: `load_episode` says so
            continue
        frames, cure = footer["frames"][0], "record into another folder, or delete the episodes there"
        if footer["world"] != world:
            problem = f"of the world {footer['world']}, the new episodes are of {world}"
            raise DatasetError(problem, thing=path, cure=f"{cure}, or begin at another seed")
        if frames != wanted:
            problem = f"{(frames - 1) * STEP_S:g} s long, the new episodes are {(wanted - 1) * STEP_S:g} s"
            raise DatasetError(problem, thing=path, cure=cure)
        tried = {TRIED: request.branches, CHOICES: request.choices}
        if request.branches and not tried.items() <= (there := footer.get("siblings", {})).items():
            problem = (
                f"of {there.get(TRIED, '?')} plans at each of {there.get(CHOICES, '?')} choices, the new ones are of "
            )
            raise DatasetError(f"{problem}{request.branches} and {request.choices}", thing=path, cure=cure)
        return  # one tells of all: they are made with one command


def robots_of(worlds: Sequence[str] | None = None, names: Sequence[str] | None = None) -> list[tuple[str, str]]:
    """(world, robot) of every robot of the worlds, or of those named. Without worlds, of the usual ones.

    Raises UserError where a named robot is in none of the worlds, where a robot is in two of them, as both would be in
    the same files, or where a world that was given has none of the robots.
    """
    given, worlds = worlds or (), worlds or default_worlds()
    everyone = [(world, robot) for world in worlds for robot in WORLDS[world].robots]
    known = [robot for _, robot in everyone]
    if names is not None and (unknown := [robot for robot in names if robot not in known]):
        raise UserError(f"not in {', '.join(worlds)}", thing=", ".join(unknown), cure=f"choose from {', '.join(known)}")
    found = [pair for pair in everyone if names is None or pair[1] in names]
    check_one_world_each(found)
    check_a_robot_each(given, found)
    return found
