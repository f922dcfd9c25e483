"""`import rankpose_tf` is enough for Keras to read our files, and stays without TensorFlow."""

import subprocess
import sys

import pytest

READS = "model = keras.models.load_model(sys.argv[1]); assert model.output_shape == (None, 3)\n"


def python(code, *arguments):
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)


@pytest.mark.parametrize("lines", ["import rankpose_tf, keras\n", "import keras, rankpose_tf\n"])
def test_keras_reads_our_file_whichever_was_imported_first(small_model, lines):
    code = f"import sys\n{lines}{READS}"
    code += "assert not [f for f in sys.meta_path if type(f).__module__.startswith('rankpose_tf')]"
    done = python(code, str(small_model / "best.keras"))
    assert done.returncode == 0, done.stderr


def test_the_import_of_the_package_brings_neither_and_looking_for_keras_changes_nothing():
    code = (
        "import sys, importlib.util, rankpose_tf\n"
        "assert importlib.util.find_spec('keras')\n"
        "assert not importlib.util.find_spec('keras_absent')\n"
        "assert not {'keras', 'tensorflow', 'numpy'} & set(sys.modules)\n"
        "assert [f for f in sys.meta_path if type(f).__module__.startswith('rankpose_tf')]\n"
    )
    done = python(code)
    assert done.returncode == 0, done.stderr


def test_keras_with_another_backend_is_left_alone(tmp_path):
    (tmp_path / "keras").mkdir()
    (tmp_path / "keras" / "__init__.py").write_text("from . import config\n")
    (tmp_path / "keras" / "config.py").write_text("def backend(): return 'jax'\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nimport rankpose_tf, keras\n"
    code += "assert 'tensorflow' not in sys.modules and keras.config.backend() == 'jax'\n"
    done = python(code)
    assert done.returncode == 0, done.stderr
