"""Recording: again the same, going on where it was, dying workers, a full disk."""

import argparse
import errno
import os
import shutil
import signal
import time
from dataclasses import replace

import numpy as np
import pytest

from astra_ros.datasets import record
from astra_ros.datasets.dataset import HELD_OUT_FROM, list_episodes, load_episode, videos_without_table
from astra_ros.datasets.episode import DatasetError
from astra_ros.datasets.workers import WorkersDied, local_workers
from astra_ros.simulation.worlds import WORLDS

KUKA = [("arm", "kuka")]


def test_recording_goes_on_where_it_was_and_repeats_itself(data, tmp_path):
    assert record.record(data, KUKA, episodes=3, first_seed=0, workers=1) == 0
    (tmp_path / "kuka_joints_000001.mp4.99999999.part").touch()  # of a recording that was killed
    (tmp_path / f"kuka_joints_000001.mp4.{os.getppid()}.part").touch()  # of one that goes on
    (tmp_path / "mine.part").touch()
    assert record.record(tmp_path, KUKA, episodes=1, first_seed=1, workers=1) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "README.md",
        "kuka_joints_000001.mp4",
        f"kuka_joints_000001.mp4.{os.getppid()}.part",
        "kuka_joints_000001.parquet",
        "mine.part",
    ]
    first, again = load_episode(list_episodes(data)[1]), load_episode(list_episodes(tmp_path)[0])
    assert len(first) == 33 and first.frames.shape[1:] == (64, 64, 3)
    np.testing.assert_array_equal(first.frames, again.frames)
    np.testing.assert_array_equal(first.motion, again.motion)
    for name, values in first.labels.items():
        np.testing.assert_array_equal(values, again.labels[name])


def test_one_episode_in_four_is_there_in_another_style_too(data):
    first, second, _ = list_episodes(data)
    styled = load_episode(first, restyled=True)
    assert load_episode(first).restyled is None and load_episode(second, restyled=True).restyled is None
    assert [path.name for path in data.glob("*.style.mp4")] == [first.with_suffix(".style.mp4").name]
    assert np.abs(styled.restyled.astype(float) - styled.frames).mean() > 4
    assert not videos_without_table(data)


def test_a_held_out_scene_has_another_style_too(tmp_path):
    assert record.record(tmp_path, KUKA, episodes=2, first_seed=HELD_OUT_FROM, workers=1, seconds=1.0) == 2
    first, second = (load_episode(path, restyled=True) for path in list_episodes(tmp_path))
    assert first.restyled.shape == first.frames.shape and second.restyled is None


def test_scenes_in_two_styles_alone(tmp_path):
    parser = argparse.ArgumentParser()
    record.add_arguments(parser)
    command = [
        "--out",
        str(tmp_path),
        "--robots",
        "kuka",
        "--episodes",
        "2",
        "--first-seed",
        "1",
        "--seconds",
        "0.5",
        "--workers",
        "1",
        "--two-styles",
    ]
    assert record.run(parser.parse_args(command)) == 0
    assert [path.stem[-6:] for path in list_episodes(tmp_path)] == ["000004", "000008"]
    assert all(load_episode(path, restyled=True).restyled is not None for path in list_episodes(tmp_path))


def test_a_second_look_may_differ_in_the_last_bits_and_no_more(data, capsys):
    episode = load_episode(list_episodes(data)[1])
    places = episode.labels["object_position"]
    again = replace(
        episode,
        motion=episode.motion + np.float32(2e-6),
        frames=255 - episode.frames,
        labels={**episode.labels, "object_position": places + np.float32(2e-6)},
    )
    assert np.array_equal(record.with_style_of(episode, again).restyled, again.frames)
    assert not capsys.readouterr().err
    pushed = replace(again, labels={**episode.labels, "object_position": places + np.float32(0.01)})
    for elsewhere in (pushed, replace(again, motion=episode.motion + np.float32(0.01))):
        assert record.with_style_of(episode, elsewhere).restyled is None  # and nothing ends for it
        assert f"{episode.title} went another way in its second style (by up to 0.01)" in capsys.readouterr().err


def test_a_damaged_video_of_another_style_is_named(data, tmp_path):
    first = list_episodes(data)[0]
    for path in data.glob(f"{first.stem}.*"):
        shutil.copy(path, tmp_path)
    (tmp_path / f"{first.stem}.style.mp4").write_bytes(b"damaged")
    assert load_episode(tmp_path / first.name)
    with pytest.raises(DatasetError, match="style.mp4: damaged, or of another episode"):
        load_episode(tmp_path / first.name, restyled=True)


def test_an_episode_without_its_video_is_recorded_again(tmp_path, capfd):
    record.record(tmp_path, KUKA, episodes=2, first_seed=0, workers=1, seconds=1.0)
    assert f"record {tmp_path}: 100%" in capfd.readouterr().err  # the bar, with its time left
    (tmp_path / "kuka_joints_000001.mp4").unlink()
    assert record.record(tmp_path, KUKA, episodes=2, first_seed=0, workers=1, seconds=1.0) == 1
    (tmp_path / "kuka_joints_000000.style.mp4").unlink()
    assert record.record(tmp_path, KUKA, episodes=2, first_seed=0, workers=1, seconds=1.0) == 1
    assert all(len(load_episode(path, restyled=True)) == 5 for path in list_episodes(tmp_path))


def test_a_folder_holds_one_size_of_frames(data):
    with pytest.raises(DatasetError, match="have 64 x 64 pixels .* the new ones 32 x 32 .*another --out"):
        record.record(data, KUKA, episodes=4, first_seed=0, workers=1, image_size=32)


def test_what_stands_in_the_way_is_said(data, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="file: a file, expected the name of a folder"):
        record.record(tmp_path / "file", KUKA, episodes=1, first_seed=0, workers=1)
    with pytest.raises(
        DatasetError, match="000000.parquet: 8 s long, and --seconds asks for 17; record into another folder"
    ):
        record.record(data, KUKA, episodes=4, first_seed=0, workers=1, seconds=17)

    def gone(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(record, "save_packed", gone)
    with pytest.raises(
        DatasetError, match="Input/output error; 0 episodes were recorded and are whole. Mend that, then repeat"
    ):
        record.record(tmp_path / "out", KUKA, episodes=1, first_seed=0, workers=1)


def test_the_robots_of_the_worlds(capsys):
    everyone = record.parse_robots(list(WORLDS), None)
    assert ("arm", "panda") in everyone and ("drive", "car") in everyone
    assert record.parse_robots(["explore"], ["drone"]) == [("explore", "drone")]
    with pytest.raises(DatasetError, match="--robots: no car in arm; there are panda, kuka"):
        record.parse_robots(["arm"], ["car"])


def test_a_full_disk_ends_the_recording_and_loses_nothing(tmp_path, monkeypatch):
    save = record.save_packed

    def full(path, packed):
        if list(tmp_path.glob("*.parquet")):
            raise OSError(28, "No space left on device")
        save(path, packed)

    monkeypatch.setattr(record, "save_packed", full)
    with pytest.raises(
        DatasetError, match="No space left on device; 1 episodes were recorded and are whole. Make room, then repeat"
    ):
        record.record(tmp_path, KUKA, episodes=2, first_seed=0, workers=1)
    monkeypatch.undo()
    assert record.record(tmp_path, KUKA, episodes=2, first_seed=0, workers=1) == 1
    assert all(load_episode(path) for path in list_episodes(tmp_path))


def die_once(marker, number):
    """A worker that is killed at job 1, the first time."""
    if number == 1 and not os.path.exists(marker):
        open(marker, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_at(marker, number, *deadly):
    """A worker that is killed at each of the `deadly` jobs, the first time."""
    died = f"{marker}{number}"
    if number in deadly and not os.path.exists(died):
        open(died, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_always(_):
    os.kill(os.getpid(), signal.SIGKILL)


def fail(_):
    raise ValueError("no such thing")


def test_jobs_of_a_worker_that_died_are_done_again(tmp_path):
    jobs = [(str(tmp_path / "died"), number) for number in range(4)]
    assert sorted(local_workers(2)(die_once, jobs)) == [0, 1, 2, 3]
    assert (tmp_path / "died").exists()


def test_no_job_is_lost_where_a_worker_dies_while_an_answer_is_handled(tmp_path):
    jobs = [(str(tmp_path / "died"), number, 3) for number in range(12)]
    answers = []
    for number in local_workers(2)(die_at, jobs):
        answers.append(number)
        time.sleep(0.5 if number < 3 else 0)  # the pool breaks meanwhile
    assert sorted(answers) == list(range(12))


def test_deaths_with_answers_between_them_do_not_add_up(tmp_path):
    jobs = [(str(tmp_path / "died"), number, 1, 9, 17, 25) for number in range(30)]
    assert sorted(local_workers(1)(die_at, jobs)) == list(range(30))
    assert len(list(tmp_path.glob("died*"))) == 4


def test_workers_that_keep_dying_are_given_up_with_the_job_named():
    with pytest.raises(WorkersDied, match=r"died 3 times at one of \('a job',\)"):
        list(local_workers(1)(die_always, [("a job",)]))


def test_a_recording_whose_workers_die_keeps_what_it_has(tmp_path, monkeypatch):
    real = record.record_seeds

    def dies(_):
        def answers(function, jobs):
            yield real(*jobs[0])
            raise WorkersDied("a worker died 3 times")

        return lambda *_: answers

    monkeypatch.setattr(record, "SEEDS_PER_JOB", 1)
    monkeypatch.setattr(record, "local_workers", dies(record.local_workers))
    words = "a worker died 3 times; 1 episodes were recorded and are whole. Where workers run out of memory"
    with pytest.raises(DatasetError, match=words):
        record.record(tmp_path, KUKA, episodes=2, first_seed=0, workers=1)
    (first,) = list_episodes(tmp_path)
    before = first.read_bytes()
    monkeypatch.undo()
    assert record.record(tmp_path, KUKA, episodes=2, first_seed=0, workers=1) == 1
    assert first.read_bytes() == before and len(list_episodes(tmp_path)) == 2


def test_what_a_job_raises_is_raised():
    with pytest.raises(ValueError, match="no such thing"):
        list(local_workers(1)(fail, [("x",)]))
