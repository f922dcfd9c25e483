"""An estimator in several threads, pickled, copied, and in forked and spawned processes.

What forks is a process of its own: the tests' has TensorFlow's threads.
"""

import concurrent.futures
import copy
import multiprocessing
import os
import pickle
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

import rankpose_tf
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.inference import sharing

SECONDS = 120


@pytest.fixture(scope="module")
def estimator():
    return rankpose_tf.load(threads=2)


@pytest.fixture(scope="module")
def scenes():
    generator = np.random.default_rng(4)
    return [generator.integers(0, 256, (90, 110, 3), np.uint8) for _ in range(12)]


BOX = (20, 10, 80, 70)


def run_python(code):
    """Runs Python in a process of its own, and fails where that hangs."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_calls_that_overlap_have_one_each_and_those_in_turn_share_it():
    made = []
    pool = sharing.Pool(lambda: made.append(len(made)) or len(made) - 1)
    for _ in range(3):
        with pool.one() as first:
            assert first == 0
    with pool.one() as first, pool.one() as second:
        assert {first, second} == {0, 1}
    assert made == [0, 1]


def test_what_failed_is_not_used_again():
    made = []
    pool = sharing.Pool(lambda: made.append(len(made)) or len(made) - 1)
    with pytest.raises(KeyError), pool.one():
        raise KeyError
    with pool.one() as second:
        assert second == 1


def test_threads_run_side_by_side_and_get_the_poses_of_one(estimator, scenes):
    expected = [estimator.predict(scene, BOX) for scene in scenes]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda scene: estimator.predict(scene, BOX), scenes * 10))
    assert together == expected * 10


def test_no_call_waits_for_another():
    """Both calls are inside the network at the same time, or the barrier breaks."""
    barrier = threading.Barrier(2, timeout=20)
    pool = sharing.Pool(lambda: barrier)

    def network(crops):
        with pool.one() as together:
            together.wait()
        return np.zeros((len(crops), 3))

    shared = rankpose_tf.PoseEstimator(network, {"input_size": 8, "crop_scale": 1.4})
    crops = np.zeros((1, 8, 8, 3), np.uint8)
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        assert len(list(threads.map(shared.predict_crops, [crops, crops]))) == 2


def unpickled(estimator):
    return pickle.loads(pickle.dumps(estimator))


@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy, unpickled])
@pytest.mark.parametrize("options", [{}, {"precision": "int8"}, {"runtime": "keras"}])
def test_a_twin_gives_the_same_poses(scenes, twin, options):
    loaded = rankpose_tf.load(**options)
    assert loaded.predict_faces(scenes[0]) == []  # Has made its detector.
    same = twin(loaded)
    assert same.predict(scenes[0], BOX) == loaded.predict(scenes[0], BOX)
    assert same.description == loaded.description
    assert same.predict_faces(scenes[0]) == []


def _predicted(estimator, scene):
    return estimator.predict(scene, BOX).as_array()


def test_a_spawned_process_gets_it_by_pickling(estimator, scenes):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply_async(_predicted, (estimator, scenes[0])).get(timeout=SECONDS)
    np.testing.assert_array_equal(found, _predicted(estimator, scenes[0]))


FORK = """
    import multiprocessing, os, sys, threading
    import numpy as np
    import rankpose_tf

    scene = np.random.default_rng(5).integers(0, 256, (400, 500, 3), np.uint8)
    box = (100, 110, 300, 290)
    estimator = rankpose_tf.load({options})
    expected = estimator.predict(scene, box)

    def work(_):
        same = estimator.predict(scene, box).as_array().tolist() == expected.as_array().tolist()
        return same and estimator.predict_faces(scene) == []
"""


@pytest.mark.parametrize("threads", [1, 2])
def test_forked_workers_give_the_poses_of_their_parent(threads):
    done = run_python(
        textwrap.dedent(FORK).format(options=f"threads={threads}")
        + textwrap.dedent("""
        assert work(0)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(all(pool.map_async(work, range(8)).get(timeout=60)))
        print(work(0))
        """)
    )
    assert done == ["True", "True"]


@pytest.mark.parametrize("threads", [1, 2])
def test_a_forked_process_ends_as_any_other(threads):
    """By sys.exit, which frees every interpreter, and while another thread predicts."""
    done = run_python(
        textwrap.dedent(FORK).format(options=f"threads={threads}")
        + textwrap.dedent("""
        assert work(0)
        going = True

        def busy():
            while going:
                work(0)

        thread = threading.Thread(target=busy)
        thread.start()
        for _ in range(3):
            child = os.fork()
            if child == 0:
                sys.exit(0 if work(0) else 3)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        going = False
        thread.join()
        print("ended")
        """)
    )
    assert done == ["ended"]


def test_tensorflow_in_a_forked_process_is_refused_instead_of_waited_for():
    done = run_python(
        textwrap.dedent(FORK).format(options='runtime="keras"')
        + textwrap.dedent("""
        def refused(function):
            try:
                function()
            except rankpose_tf.core.errors.RankPoseError as error:
                return "TensorFlow ran before this process was forked" in str(error)

        import rankpose_tf.core.errors
        child = os.fork()
        if child == 0:
            again = refused(lambda: rankpose_tf.load(runtime="keras"))
            works = rankpose_tf.load().predict(scene, box)
            close = abs(works.as_array() - expected.as_array()).max() < 1e-3
            os._exit(0 if refused(lambda: work(0)) and again and close else 3)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """)
    )
    assert done == ["0"]


PICTURES_IN_WORKERS = """
    import concurrent.futures, io, multiprocessing
    import numpy as np
    from PIL import Image
    from rankpose_tf.core import pictures

    stream = io.BytesIO()
    Image.fromarray(np.zeros((3, 4, 3), np.uint8)).save(stream, "PNG")
    broken = b"no picture"

    def shape(content):
        return pictures.read(content).shape

    def refused(function):
        try:
            function()
        except pictures.PictureError as error:
            return str(error).startswith("image: 10 bytes: ") and error.reason in str(error)

    context = multiprocessing.get_context("fork")
"""


@pytest.mark.parametrize(
    "code",
    [
        """
        with context.Pool(1) as pool:
            print(refused(lambda: pool.apply_async(shape, (broken,)).get(timeout=60)))
            print(pool.apply_async(shape, (stream.getvalue(),)).get(timeout=60) == (3, 4, 3))
        """,
        """
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
            print(refused(lambda: pool.submit(shape, broken).result(timeout=60)))
            print(pool.submit(shape, stream.getvalue()).result(timeout=60) == (3, 4, 3))
        """,
    ],
    ids=["Pool", "ProcessPoolExecutor"],
)
def test_a_worker_tells_of_a_broken_picture_and_answers_the_next(code):
    done = run_python(textwrap.dedent(PICTURES_IN_WORKERS) + textwrap.dedent(code))
    assert done == ["True", "True"]


def test_only_the_process_in_which_tensorflow_ran_may_go_on():
    sharing.require_process([os.getpid()])
    sharing.require_process([])
    with pytest.raises(RankPoseError, match="was forked.*spawn"):
        sharing.require_process([os.getppid()])
