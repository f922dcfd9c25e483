"""A run that is killed goes on where it stopped, and leaves no process and no half file."""

import functools
import os
import signal
import subprocess
import sys
import time

import pytest
import tensorflow as tf

from rankpose_tf.core import damage
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import prepared_folder, records
from rankpose_tf.preparation import plan as plans
from rankpose_tf.preparation import prepare, tasks
from tests.support import made_up_faces as made_up


def _prepare(source, out):
    return prepare.prepare(source, out, workers=1, shards=6, progress=False)


def _identities(out):
    dataset = tf.data.TFRecordDataset(prepared_folder.list_shards(out)).map(records.parse_identity)
    return [record["identity"].decode() for record in dataset.as_numpy_iterator()]


def _content(out):
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def _cut(source, out):
    plan = plans.make(source, shards=6)
    return plan, tasks.cut(plan, out, 6)


def test_tasks_hold_every_identity_once_and_are_never_more_than_identities(tmp_path):
    plan, work = _cut(made_up.write_300w_lp(tmp_path / "lp", faces=15), tmp_path)
    assert [identity for task in work for identity in task.identities] == plan.identities
    assert {len(task.identities) for task in work} <= {2, 3}
    assert len(_cut(made_up.write_300w_lp(tmp_path / "few", faces=4), tmp_path)[1]) == 4


def test_a_run_stopped_after_any_rename_ends_like_one_that_was_not(tmp_path, monkeypatch):
    source = made_up.write_300w_lp(tmp_path / "lp", faces=8)
    replace, done = os.replace, []

    def counted(beside, path, limit):
        if len(done) == limit:
            raise KeyboardInterrupt
        done.append(path)
        replace(beside, path)

    monkeypatch.setattr(os, "replace", functools.partial(counted, limit=-1))
    _prepare(source, tmp_path / "whole")
    renames = len(done)
    assert renames == 1 + 2 * 6 + 3  # the plan, each shard and its description, the three tables
    for limit in range(renames):
        out = tmp_path / f"out {limit}"
        done.clear()
        monkeypatch.setattr(os, "replace", functools.partial(counted, limit=limit))
        with pytest.raises(KeyboardInterrupt):
            _prepare(source, out)
        assert not (out / "dataset.json").exists()
        monkeypatch.setattr(os, "replace", functools.partial(counted, limit=-1))
        _prepare(source, out)
        assert len(done) <= renames + 2  # at most one shard, or the tables, anew
        assert _content(out) == _content(tmp_path / "whole")


def test_a_shard_without_its_description_or_cut_short_is_written_again(tmp_path):
    source, out = made_up.write_300w_lp(tmp_path / "lp"), tmp_path / "out"
    _prepare(source, tmp_path / "whole")
    (out / "progress").mkdir(parents=True)
    plan, work = _cut(source, out)
    tasks.run(plan, work, workers=1, progress=False)
    work[0].statistics.unlink()
    work[1].shard.unlink()
    work[2].shard.write_bytes(work[2].shard.read_bytes()[:-1])
    kept = {task.shard: task.shard.stat().st_mtime_ns for task in work[3:]}
    tasks.run(plan, work, workers=1, progress=False)
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
    for task in work:
        assert task.shard.read_bytes() == (tmp_path / "whole" / task.shard.name).read_bytes()


def test_a_shard_may_have_any_number_of_identities_and_skipped_views(tmp_path, monkeypatch):
    """What is told of a shard grows with it, beyond what any other JSON file of ours has."""
    source = made_up.write_300w_lp(tmp_path / "lp", faces=9)
    for number in range(2):
        (source / "300W_LP" / "AFW" / f"face_0_{number}.jpg").write_bytes(b"broken")
    monkeypatch.setattr(damage, "LARGEST_JSON", 1000)
    plan = plans.make(source, shards=1)
    (task,) = tasks.cut(plan, tmp_path / "out", 1)
    task.statistics.parent.mkdir(parents=True)
    tasks.run(plan, [task], workers=1, progress=False)
    assert task.statistics.stat().st_size > 1000
    statistics = tasks.read_statistics(task)
    assert len(statistics["rows"]) == 8 and len(statistics["skipped"]) == 2
    task.statistics.write_bytes(b" " * 100_000 + task.statistics.read_bytes())
    with pytest.raises(RankPoseError, match="is damaged .*bytes.*run the same command again"):
        tasks.read_statistics(task)


def test_two_runs_at_once_are_refused(tmp_path, monkeypatch):
    pytest.importorskip("fcntl", reason="no file locks on this system")
    source, out = made_up.write_300w_lp(tmp_path / "lp"), tmp_path / "out"

    def second_run(*_):
        with pytest.raises(RankPoseError, match="another run is writing"):
            _prepare(source, out)
        raise KeyboardInterrupt

    monkeypatch.setattr(tasks, "run", second_run)
    with pytest.raises(KeyboardInterrupt):
        _prepare(source, out)
    monkeypatch.undo()
    assert _prepare(source, out)["identities"] == 6


def _children(process):
    path = f"/proc/{process.pid}/task/{process.pid}/children"
    with open(path) as stream:
        return [int(child) for child in stream.read().split()]


def _is_alive(process_id):
    try:
        with open(f"/proc/{process_id}/stat") as stream:
            return stream.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


@pytest.mark.end_to_end
@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="looks at processes in /proc")
def test_a_killed_parallel_run_leaves_no_process_and_is_finished_by_the_next(tmp_path):
    picture = made_up.jpeg(640, 640)
    source = made_up.write_300w_lp(tmp_path / "lp", faces=60, views=6, picture=picture)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "rankpose_tf.prepare", f"--source={source}", f"--out={out}",
               "--workers=2", "--shards=60"]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        assert _wait_for(lambda: len(list(out.glob("progress/0*.json"))) >= 3, 200)
        children = _children(process)
        process.send_signal(signal.SIGKILL)
    assert len(children) >= 2
    assert _wait_for(lambda: not any(map(_is_alive, children)), 20)
    done = {
        path: path.stat().st_mtime_ns
        for path in out.glob("shard-*")
        if (out / "progress" / f"{path.name[6:11]}.json").is_file()
    }
    assert 3 <= len(done) < 60 and not (out / "dataset.json").exists()
    description = prepare.prepare(source, out, workers=1, shards=60, progress=False)
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert sorted(_identities(out)) == sorted(f"AFW/face_{i}" for i in range(60))
    assert description["views"] == 360
    assert not [path.name for path in out.iterdir() if path.name.startswith(".")]
