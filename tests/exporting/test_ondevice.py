"""export/ondevice/predict.py: the same crop and the same angles, with no TensorFlow."""

import pathlib
import runpy
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from rankpose_tf.core import pictures
from rankpose_tf.data import square_crops, synthetic
from rankpose_tf.inference import litert
from rankpose_tf.models import saving

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "export" / "ondevice" / "predict.py"


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(SCRIPT))


@pytest.mark.parametrize(
    ("height", "width", "box", "scale"),
    [
        (120, 120, (30, 20, 95, 100), 1.4),
        (450, 450, (100, 120, 330, 350), 1.4),
        (90, 160, (-20, 40, 60, 130), 1.4),
        (40, 30, (10, 10, 20, 22), 1.4),
        (64, 64, (0, 0, 64, 64), 1.0),
        (31, 77, (0, 0, 77, 31), 1.0),
    ],
)
def test_the_crop_is_that_of_training(script, height, width, box, scale):
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    square = square_crops.square_around(np.float32(box), scale)
    expected = square_crops.crop_and_resize(picture, square, 64).numpy()
    found = script["crop"](picture, box, scale, 64).astype(np.float32)
    # Rounded to bytes, and float32 on the way.
    assert np.abs(found - expected).max() <= 0.51


@pytest.fixture(scope="module")
def path(every_format):
    return every_format / "fp32.tflite"


def test_a_file_is_described_without_the_package(script, path):
    assert script["read_metadata"](str(path)) == litert.description(path)


def test_ppm_and_npy_need_no_pillow(script, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    picture = np.random.default_rng(0).integers(0, 256, (7, 5, 3), np.uint8)
    np.save(tmp_path / "a.npy", picture)
    (tmp_path / "a.ppm").write_bytes(b"P6\n# by hand\n5 7\n255\n" + picture.tobytes())
    for name in ("a.npy", "a.ppm"):
        assert np.array_equal(script["read_picture"](str(tmp_path / name)), picture)
    with pytest.raises(SystemExit, match="needs Pillow .pip install pillow"):
        script["read_picture"](str(tmp_path / "a.jpg"))


@pytest.mark.parametrize("content", [b"P5 1 1 255\n0", b"P6 9 9 255\n0", b"P6 1 1 65535\n000000"])
def test_a_ppm_that_is_none_is_refused(script, tmp_path, content):
    (tmp_path / "a.ppm").write_bytes(content)
    with pytest.raises(SystemExit, match="picture: can't read"):
        script["read_picture"](str(tmp_path / "a.ppm"))


def test_an_array_that_is_no_picture_is_refused(script, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 4, 3), np.float32))
    with pytest.raises(SystemExit, match=r"expected \(H, W, 3\) uint8.*float32"):
        script["read_picture"](str(tmp_path / "a.npy"))


@pytest.mark.parametrize(
    "text", ["1,2,3", "a,b,c,d", "5,5,5,9", "0,9,9,1", "0,0,nan,1", "0,0,inf,1"]
)
def test_a_box_that_is_none_is_refused(script, text):
    with pytest.raises(SystemExit, match="box: expected"):
        script["parse_box"](text)


@pytest.mark.parametrize("box", [(0.2, 0.2, 0.7, 0.7), (64, 0, 90, 9), (-9, -9, 0, 5)])
def test_a_box_outside_the_picture_or_in_shares_is_refused(script, box):
    picture = np.zeros((48, 64, 3), np.uint8)
    with pytest.raises(SystemExit, match="box: expected"):
        script["require_inside"](box, picture)
    script["require_inside"]((-9, -9, 1, 5), picture)


def kinds_of_pictures():
    """(suffix, picture of Pillow's, options of its file) that are easily read wrongly."""
    head = synthetic.render(3, (0.3, 0.1, 0.0), 60)[0]
    alpha = np.tile(np.linspace(0, 255, 60).astype(np.uint8)[:, np.newaxis], 60)
    veiled = Image.fromarray(np.dstack([head, alpha]))
    grey = head.mean(2).astype(np.uint16)
    exif = Image.Exif()
    exif[0x0112] = 6
    yield from (
        (".png", veiled, {}),
        (".webp", veiled, {"lossless": True}),
        (".png", veiled.convert("LA"), {}),
        (".png", Image.fromarray(head).convert("P"), {"transparency": 0}),
        (".jpg", Image.fromarray(head), {"exif": exif}),
        (".avif", Image.fromarray(head), {"exif": exif}),
        (".jpg", Image.fromarray(head).convert("CMYK"), {}),
        (".tif", Image.fromarray(grey * 257), {}),
        (".pgm", Image.fromarray((grey * 257).astype(np.uint16)), {}),
    )
    for bits in (8, 10, 12, 14, 16):
        yield ".png", Image.fromarray(grey << (bits - 8)), {}


@pytest.mark.parametrize(("suffix", "image", "options"), list(kinds_of_pictures()))
def test_pictures_are_read_as_the_package_reads_them(script, tmp_path, suffix, image, options):
    path = tmp_path / f"a{suffix}"
    image.save(path, **options)
    np.testing.assert_array_equal(script["read_picture"](str(path)), pictures.read(path))


def test_a_picture_whose_white_is_unknown_is_refused(script, tmp_path):
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(SystemExit, match="picture: can't read.*floating point"):
        script["read_picture"](str(tmp_path / "a.tif"))


@pytest.mark.parametrize("name", ["absent.tflite", "a.tflite"])
def test_a_model_that_is_none_is_refused(script, tmp_path, name):
    (tmp_path / "a.tflite").write_bytes(b"none")
    with pytest.raises(SystemExit, match="not a .tflite file of rankpose_tf.export"):
        script["read_metadata"](str(tmp_path / name))


@pytest.mark.end_to_end
def test_it_runs_where_tensorflow_can_not_be_imported(every_format, path, tmp_path):
    network, _ = saving.load_model(every_format)
    picture, box = synthetic.render(3, (0.5, -0.2, 0.1), 100)
    np.save(tmp_path / "head.npy", picture)
    program = (
        "import sys\n"
        "for name in ('tensorflow', 'keras', 'cv2', 'rankpose_tf'):\n"
        "    sys.modules[name] = None\n"
        "import runpy\n"
        f"sys.argv = ['predict.py', '--model={path}', '--picture={tmp_path / 'head.npy'}',"
        f" '--box={','.join(str(edge) for edge in box)}']\n"
        f"runpy.run_path({str(SCRIPT)!r}, run_name='__main__')\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    words = run.stdout.split()
    assert words[::2] == ["yaw", "pitch", "roll"]
    crop = square_crops.crop_and_resize(picture, square_crops.square_around(box, 1.4), 32).numpy()
    expected = np.degrees(network.predict_on_batch(np.rint(crop)[np.newaxis]))[0]
    np.testing.assert_allclose([float(word) for word in words[1::2]], expected, atol=0.02)
