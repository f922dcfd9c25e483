"""Loading: four formats give the same numbers, and what is none of them is refused."""

import io
import json
import pathlib
import shutil
import subprocess
import sys
import textwrap
import zipfile

import numpy as np
import pytest
import scipy.io

import rankpose_tf
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.inference import litert, loading

SIZE = 32
# What the export may change where the weights stay float32.
DEGREES = 1e-3


@pytest.fixture(scope="module")
def small_model(every_format, tmp_path_factory):
    """Workdir with the model that `every_format` has beside its files."""
    workdir = tmp_path_factory.mktemp("small_model")
    shutil.copy(every_format / "best.keras", workdir)
    return workdir


@pytest.fixture(scope="module")
def exported(every_format, tmp_path_factory):
    """Folder with versions 2 and 10 of a SavedModel, and a .tflite file, of the small model."""
    folder = tmp_path_factory.mktemp("exported")
    for version in ("10", "2"):
        shutil.copytree(every_format / "savedmodel", folder / "rankpose" / version)
    (folder / "rankpose" / "2" / "saved_model.pb").write_bytes(b"damaged")
    (folder / "rankpose" / "notes").mkdir()
    shutil.copy(every_format / "fp32.tflite", folder / "rankpose_fp32.tflite")
    return folder


@pytest.fixture(scope="module")
def paths(small_model, exported):
    return {
        "workdir": small_model,
        "savedmodel": exported / "rankpose",
        "tflite": exported / "rankpose_fp32.tflite",
    }


@pytest.fixture(scope="module")
def scenes():
    """Pictures of several sizes, and boxes in them."""
    generator = np.random.default_rng(2)
    shapes = [(32, 32), (90, 70), (60, 110), (20, 20)]
    images = [generator.integers(0, 256, (*shape, 3), np.uint8) for shape in shapes]
    return images, np.array([(4, 5, 28, 30), (-9, 20.5, 50, 80), (30, 2, 90, 61), (1, 1, 19, 18)])


def expected_degrees(small_model, scenes, boxes):
    """Keras itself on the crops of training, rounded."""
    from rankpose_tf.data import square_crops
    from rankpose_tf.models.saving import load_model

    network, _ = load_model(small_model)
    crops = [
        square_crops.crop_and_resize(
            image, square_crops.square_around(np.float32(box), scale), SIZE
        )
        for image, box, scale in (
            zip(*scenes, [1.4] * 4, strict=True)
            if boxes
            else [(i, (0, 0, i.shape[1], i.shape[0]), 1.0) for i in scenes[0]]
        )
    ]
    return np.degrees(network.predict_on_batch(np.rint(crops)))


@pytest.mark.parametrize("kind", ["workdir", "savedmodel", "tflite"])
def test_every_format_gives_the_numbers_of_keras(paths, small_model, scenes, kind):
    loaded = rankpose_tf.load(paths[kind])
    assert isinstance(loaded, rankpose_tf.PoseEstimator)
    assert (loaded.input_size, loaded.crop_scale) == (SIZE, 1.4)
    assert loaded.description["training_set"] == "none"
    images, boxes = scenes
    for found, given in ((loaded.predict(images), False), (loaded.predict(images, boxes), True)):
        expected = expected_degrees(small_model, scenes, given)
        np.testing.assert_allclose(found.as_array(), expected, atol=DEGREES)
    np.testing.assert_allclose(
        loaded.predict(images[1]).as_array(), loaded.predict(images).as_array()[1], atol=DEGREES
    )


def test_a_version_is_taken_as_it_is_and_a_servable_gives_its_newest(exported):
    servable = exported / "rankpose"
    assert loading.newest_version(servable) == loading.newest_version(servable / "10")
    assert loading.newest_version(servable / "2") == servable / "2"
    assert loading.newest_version(exported) is None


def run_python(code, *arguments):
    """Runs Python in a process of its own; what it prints, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_importing_the_package_imports_nothing_heavy():
    found = run_python(
        """
        import json, sys, time
        began = time.perf_counter()
        import rankpose_tf
        seconds = time.perf_counter() - began
        names = ("load", "Pose", "PoseEstimator", "track")
        known = [name in dir(rankpose_tf) for name in names]
        light = sorted({name.split(".")[0] for name in sys.modules})
        rankpose_tf.load, rankpose_tf.Pose, rankpose_tf.PoseEstimator, rankpose_tf.track
        later = sorted({name.split(".")[0] for name in sys.modules})
        print(json.dumps([seconds, known, light, later]))
        """
    )
    seconds, known, light, later = found
    assert seconds < 0.2 and all(known)
    heavy = {"tensorflow", "keras", "cv2", "scipy", "PIL", "ai_edge_litert", "mtcnn", "matplotlib"}
    assert not heavy & set(light) and "numpy" not in light
    assert not heavy & set(later)


def test_the_package_has_no_other_names():
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        _ = rankpose_tf.lod


def test_the_shipped_model_is_found_and_run_without_tensorflow():
    found = run_python(
        """
        import json, sys
        import numpy as np
        import rankpose_tf
        estimator = rankpose_tf.load()
        image = np.random.default_rng(0).integers(0, 256, (50, 40, 3), np.uint8)
        angles = estimator.predict(image, (3, 4, 33, 40)).as_array().tolist()
        faces = estimator.predict_faces(image)
        loaded = sorted({name.split(".")[0] for name in sys.modules})
        print(json.dumps([angles, len(faces), loaded]))
        """
    )
    image = np.random.default_rng(0).integers(0, 256, (50, 40, 3), np.uint8)
    expected = rankpose_tf.load(runtime="keras").predict(image, (3, 4, 33, 40))
    np.testing.assert_allclose(found[0], expected.as_array(), atol=DEGREES)
    assert found[1] == 0
    assert not {"tensorflow", "keras", "scipy", "absl", "tqdm"} & set(found[2])


def test_a_shipped_model_is_loaded_by_its_name_and_a_folder_of_that_name_by_its_path(
    small_model, tmp_path, monkeypatch
):
    shutil.copytree(small_model, tmp_path / "compact")
    monkeypatch.chdir(tmp_path)
    for model in (None, "compact"):
        assert rankpose_tf.load(model).input_size == 80
    for model in ("./compact", pathlib.Path("compact")):
        assert rankpose_tf.load(model).input_size == SIZE


def test_int8_is_another_file_of_the_same_model(scenes):
    images, boxes = scenes
    fp32, int8 = (rankpose_tf.load(precision=p).predict(images, boxes) for p in (None, "int8"))
    assert rankpose_tf.load(precision="fp32").predict(images, boxes) == fp32
    gap = np.abs(fp32.as_array() - int8.as_array())
    # Of noise, which is no face; of real ones: tests/exporting/test_shipping.py.
    assert 0 < gap.max() < 15


def test_threads_change_no_pose(scenes):
    images, boxes = scenes
    one, two = (rankpose_tf.load(threads=n).predict(images, boxes) for n in (1, 2))
    np.testing.assert_allclose(one.as_array(), two.as_array(), atol=DEGREES)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"precision": "int4"}, "precision: expected one of fp32, int8, received 'int4'"),
        ({"runtime": "onnx"}, "runtime: expected one of litert, keras, received 'onnx'"),
        ({"runtime": "keras", "precision": "int8"}, "precision: runtime 'keras' .* fp32"),
    ],
)
def test_what_a_shipped_model_does_not_have_is_refused(options, words):
    with pytest.raises(RankPoseError, match=words):
        rankpose_tf.load(**options)


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("tflite", {"runtime": "keras"}, "runtime 'keras' chooses among the files"),
        ("tflite", {"precision": "int8"}, "precision 'int8' chooses among the files"),
        ("workdir", {"runtime": "litert"}, "export it with python -m rankpose_tf.export"),
        ("savedmodel", {"runtime": "keras"}, "runtime 'keras' chooses"),
    ],
)
def test_a_file_has_its_own_runtime_and_precision(paths, kind, options, words):
    with pytest.raises(RankPoseError, match=words):
        rankpose_tf.load(paths[kind], **options)
    own = {"tflite": "litert", "workdir": "keras"}.get(kind)
    assert rankpose_tf.load(paths[kind], runtime=own).input_size == SIZE


def test_a_tflite_file_needs_no_tensorflow(paths, small_model):
    found = run_python(
        """
        import json, sys
        import numpy as np
        import rankpose_tf
        estimator = rankpose_tf.load(sys.argv[1], threads=1)
        image = np.random.default_rng(0).integers(0, 256, (50, 40, 3), np.uint8)
        angles = estimator.predict(image, (3, 4, 33, 40)).as_array().tolist()
        print(json.dumps([angles, sorted({name.split(".")[0] for name in sys.modules})]))
        """,
        paths["tflite"],
    )
    image = np.random.default_rng(0).integers(0, 256, (50, 40, 3), np.uint8)
    expected = rankpose_tf.load(small_model / "best.keras").predict(image, (3, 4, 33, 40))
    np.testing.assert_allclose(found[0], expected.as_array(), atol=DEGREES)
    assert not {"tensorflow", "keras"} & set(found[1])


def test_what_is_no_model_is_refused(tmp_path, exported):
    onnx = tmp_path / "rankpose.onnx"
    onnx.write_bytes(b"onnx")
    for path, words in (
        (tmp_path / "absent", ".*absent', where there is nothing"),
        (tmp_path / "absent.tflite", ".*where there is nothing"),
        (tmp_path / ("a" * 5000), ".*can't be looked at .File name too long"),
        (onnx, "expected a workdir .*, a .tflite file or .* received .*onnx', which is none of"),
        (tmp_path, ".*none of these"),
        (exported, ".*none of these"),
        (tmp_path / "absent.keras", "no file 'absent.keras'"),
    ):
        with pytest.raises(RankPoseError, match=f"model: {words}"):
            rankpose_tf.load(path)


@pytest.mark.parametrize("content", [b"", b"TFL3 but not really", b"\x00" * 2000])
@pytest.mark.parametrize("name", ["model.tflite", "model.keras"])
def test_damaged_files_are_refused(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RankPoseError, match="model: .*damaged"):
        rankpose_tf.load(tmp_path / name)


def test_a_tflite_file_with_a_damaged_network_is_refused(tmp_path, paths):
    with zipfile.ZipFile(paths["tflite"]) as archive:
        description = archive.read(archive.namelist()[0])
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(b"\x00" * 64)
    with zipfile.ZipFile(damaged, "a") as archive:
        archive.writestr("rankpose.json", description)
    with pytest.raises(RankPoseError, match="model: .*is damaged"):
        rankpose_tf.load(damaged)


def test_foreign_and_damaged_savedmodels_are_refused(exported, tmp_path):
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "saved_model.pb").write_bytes(b"")
    for folder in (tmp_path / "foreign", exported / "rankpose" / "2"):
        with pytest.raises(RankPoseError, match="model: .*no SavedModel of rankpose_tf.export"):
            rankpose_tf.load(folder)


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2"])
def test_threads_are_a_whole_number(small_model, threads):
    with pytest.raises(RankPoseError, match="threads: expected a whole number from 1"):
        rankpose_tf.load(small_model / "best.keras", threads=threads)


def test_threads_of_a_running_tensorflow_stay(small_model):
    rankpose_tf.load(small_model / "best.keras")
    with pytest.raises(RankPoseError, match="threads: received 77, but TensorFlow already runs"):
        rankpose_tf.load(small_model / "best.keras", threads=77)


def test_the_shipped_model_knows_left_from_right_on_real_pictures(shared_data):
    loaded = rankpose_tf.load()
    # Seen by eye and labelled in tests/core/test_pose.py: turned to their own left, own right,
    # chin up, chin down, right ear to the right shoulder, left ear to the left one.
    expected = {
        "image02290": ("yaw", -1),
        "image02359": ("yaw", 1),
        "image00303": ("pitch", 1),
        "image01060": ("pitch", -1),
        "image00159": ("roll", -1),
        "image00209": ("roll", 1),
    }
    with zipfile.ZipFile(shared_data / "aflw2000_dev.zip") as archive:
        for name, (angle, sign) in expected.items():
            label = scipy.io.loadmat(io.BytesIO(archive.read(f"AFLW2000/{name}.mat")))
            marks = label["pt3d_68"][:2]
            box = [*marks.min(axis=1), *marks.max(axis=1)]
            pose = loaded.predict(archive.read(f"AFLW2000/{name}.jpg"), box)
            assert sign * getattr(pose, angle) > 10, (name, pose)


@pytest.mark.parametrize("model", [5, b"compact", ["compact"]])
def test_a_model_is_a_name_or_a_path(model):
    with pytest.raises(RankPoseError, match="model: expected a name or a path, received"):
        rankpose_tf.load(model)


def test_threads_may_be_numpys_and_no_truth_value():
    assert rankpose_tf.load(threads=np.int64(2)).input_size
    with pytest.raises(RankPoseError, match="threads: expected a whole number from 1"):
        rankpose_tf.load(threads=True)


def test_a_tilde_is_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(RankPoseError, match=f"received '{tmp_path}/absent'"):
        rankpose_tf.load("~/absent")
    with pytest.raises(RankPoseError, match="received '~nobody-of-this-name/absent'"):
        rankpose_tf.load("~nobody-of-this-name/absent")


def test_a_tflite_file_that_is_absent_or_does_not_describe_its_model_is_told(tmp_path):
    with pytest.raises(RankPoseError, match="there is no file"):
        litert.description(tmp_path / "absent.tflite")
    with zipfile.ZipFile(tmp_path / "m.tflite", "w") as archive:
        archive.writestr(litert.DESCRIPTION, "{}")
    with pytest.raises(RankPoseError, match="does not describe its model"):
        litert.description(tmp_path / "m.tflite")
