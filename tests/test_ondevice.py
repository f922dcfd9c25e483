"""export/ondevice/predict.py: the same crop and the same angles, with no TensorFlow."""

import pathlib
import runpy
import subprocess
import sys

import numpy as np
import pytest

from rankpose_tf import model
from rankpose_tf.data import augment, synthetic
from rankpose_tf.formats import tflite

SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "export" / "ondevice" / "predict.py"


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
    square = augment.square_around(np.float32(box), scale)
    expected = augment.crop_and_resize(picture, square, 64).numpy()
    found = script["crop"](picture, box, scale, 64).astype(np.float32)
    # Rounded to bytes, and float32 on the way.
    assert np.abs(found - expected).max() <= 0.51


@pytest.mark.end_to_end
def test_it_runs_where_tensorflow_can_not_be_imported(small_model, tmp_path):
    network, description = model.load_model(small_model)
    path = tmp_path / "rankpose_fp32.tflite"
    tflite.write(network, description, "fp32", path)
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
    crop = augment.crop_and_resize(picture, augment.square_around(box, 1.4), 32).numpy()
    expected = np.degrees(network.predict_on_batch(np.rint(crop)[np.newaxis]))[0]
    np.testing.assert_allclose([float(word) for word in words[1::2]], expected, atol=0.02)
