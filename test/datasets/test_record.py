"""Recording: again the same, going on where it was, dying workers, a full disk."""

import errno
import os
import shutil
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
from user_errors import fault

from astra_ros.commands import record as command
from astra_ros.commands.arguments import OneLineParser
from astra_ros.datasets import record
from astra_ros.datasets.dataset import HELD_OUT_FROM, list_episodes, load_episode, videos_without_table
from astra_ros.datasets.episode import DatasetError
from astra_ros.datasets.workers import WorkersDied, local_workers
from astra_ros.errors import UserError
from astra_ros.files import OutputError

KUKA = [("arm", "kuka")]


def kuka(folder, episodes=1, **changes):
    """Record as many episodes of the arm in this process's workers."""
    return record.record(record.RecordRequest(folder, KUKA, episodes, **changes))


def test_recording_goes_on_where_it_was_and_repeats_itself(data, tmp_path):
    assert record.record(record.RecordRequest(data, KUKA, episodes=3, first_seed=0, workers=1)) == 0
    (tmp_path / ".kuka_joints_000001.mp4.99999999.part.mp4").touch()  # of a recording that was killed
    (tmp_path / f".kuka_joints_000001.mp4.{os.getppid()}.part.mp4").touch()  # of one that goes on
    (tmp_path / "mine.part").touch()
    assert record.record(record.RecordRequest(tmp_path, KUKA, episodes=1, first_seed=1, workers=1)) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f".kuka_joints_000001.mp4.{os.getppid()}.part.mp4",
        "README.md",
        "kuka_joints_000001.mp4",
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
    assert kuka(tmp_path, 2, first_seed=HELD_OUT_FROM, seconds=1.0) == 2
    first, second = (load_episode(path, restyled=True) for path in list_episodes(tmp_path))
    assert first.restyled.shape == first.frames.shape and second.restyled is None


def test_scenes_in_two_styles_alone(tmp_path):
    parser = OneLineParser()
    command.add_arguments(parser)
    words = f"--out {tmp_path} --robots kuka --episodes 2 --first-seed 1 --seconds 0.5 --workers 1 --two-styles"
    assert command.run(parser.parse_args(words.split())) == 0
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
    with pytest.raises(DatasetError) as error:
        load_episode(tmp_path / first.name, restyled=True)
    assert f"{first.stem}.style.mp4" in str(error.value)


def test_an_episode_without_its_video_is_recorded_again(tmp_path, capfd):
    kuka(tmp_path, 2, seconds=1.0)
    assert f"record {tmp_path}: 100%" in capfd.readouterr().err  # the bar, with its time left
    (tmp_path / "kuka_joints_000001.mp4").unlink()
    assert kuka(tmp_path, 2, seconds=1.0) == 1
    (tmp_path / "kuka_joints_000000.style.mp4").unlink()
    assert kuka(tmp_path, 2, seconds=1.0) == 1
    assert all(len(load_episode(path, restyled=True)) == 5 for path in list_episodes(tmp_path))


def test_a_folder_holds_one_size_of_frames(data):
    with pytest.raises(DatasetError) as error:
        kuka(data, 4, size=32)
    assert error.value.thing == str(data) and error.value.cure
    assert "64 x 64" in error.value.problem and "32 x 32" in error.value.problem


@pytest.mark.parametrize(("changes", "name"), [({"seconds": 0.1}, "seconds"), ({"size": 65}, "size")])
def test_a_value_that_cannot_be_is_named(tmp_path, changes, name):
    with pytest.raises(UserError) as error:
        record.RecordRequest(tmp_path, KUKA, 1, **changes)
    assert error.value.thing == name and error.value.cure and not list(tmp_path.iterdir())


def test_what_stands_in_the_way_is_said(data, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError) as error:
        kuka(tmp_path / "file")
    assert error.value.thing == str(tmp_path / "file") and error.value.cure
    with pytest.raises(DatasetError) as error:
        kuka(data, 4, seconds=17)
    assert error.value.thing == str(list_episodes(data)[0]) and error.value.cure
    assert "8 s" in error.value.problem and "17 s" in error.value.problem

    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(record, "save_packed", fail)
    with pytest.raises(OutputError) as error:
        kuka(tmp_path / "out")
    assert error.value.thing == str(tmp_path / "out") and "repeat" in error.value.cure
    assert "Input/output error" in error.value.problem and "0 episodes" in error.value.problem


def test_episodes_of_another_world_are_not_taken_for_those_that_are_asked_for(tmp_path):
    assert kuka(tmp_path, seconds=0.5, size=32) == 1
    with pytest.raises(DatasetError) as error:
        record.record(record.RecordRequest(tmp_path, [("pushing", "kuka")], 2, seconds=0.5, size=32))
    assert "kuka_joints_000000" in error.value.thing and "pushing" in error.value.problem
    assert [path.stem for path in list_episodes(tmp_path)] == ["kuka_joints_000000"]


def test_the_robots_of_the_worlds():
    everyone = record.robots_of()
    assert ("arm", "panda") in everyone and ("drive", "car") in everyone
    assert record.robots_of(["explore"], ["drone"]) == [("explore", "drone")]
    with pytest.raises(UserError) as error:
        record.robots_of(["arm"], ["car"])
    assert error.value.thing == "car" and "arm" in error.value.problem
    assert "panda" in error.value.cure and "kuka" in error.value.cure
    assert record.robots_of(["pushing"], ["kuka"]) == [("pushing", "kuka")]
    assert record.robots_of(names=["car"]) == [("drive", "car")]
    with pytest.raises(UserError) as error:
        record.robots_of(["drive", "pushing"], ["kuka"])
    assert error.value.thing == "world drive" and "car" in error.value.cure
    with pytest.raises(UserError) as error:  # both would be in the same files
        record.robots_of(["arm", "pushing"])
    assert "arm" in error.value.thing and "pushing" in error.value.thing and "panda" in error.value.problem


def test_a_full_disk_ends_the_recording_and_loses_nothing(tmp_path, monkeypatch):
    save = record.save_packed

    def full(path, packed):
        if list(tmp_path.glob("*.parquet")):
            raise OSError(errno.ENOSPC, "No space left on device")
        save(path, packed)

    monkeypatch.setattr(record, "save_packed", full)
    with pytest.raises(OutputError) as error:
        kuka(tmp_path, 2)
    assert "No space left" in error.value.problem and "1 episodes" in error.value.problem
    assert "space" in error.value.cure
    monkeypatch.undo()
    assert kuka(tmp_path, 2) == 1
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
    with pytest.raises(WorkersDied) as error:
        list(local_workers(1)(die_always, [("a job",)]))
    assert "3 times" in error.value.problem and "'a job'" in error.value.problem


def test_a_recording_whose_workers_die_keeps_what_it_has(tmp_path, monkeypatch):
    real = record.record_seeds

    def dies(_):
        def answers(function, jobs):
            yield real(*jobs[0])
            raise WorkersDied("a worker died 3 times")

        return lambda *_: answers

    monkeypatch.setattr(record, "SEEDS_PER_JOB", 1)
    monkeypatch.setattr(record, "local_workers", dies(record.local_workers))
    with pytest.raises(WorkersDied) as error:
        kuka(tmp_path, 2)
    assert "3 times" in error.value.problem and "1 episodes" in error.value.problem and "memory" in error.value.cure
    (first,) = list_episodes(tmp_path)
    before = first.read_bytes()
    monkeypatch.undo()
    assert kuka(tmp_path, 2) == 1
    assert first.read_bytes() == before and len(list_episodes(tmp_path)) == 2


def test_what_a_job_raises_is_raised():
    with fault(ValueError, "no such thing"):
        list(local_workers(1)(fail, [("x",)]))
