"""What the built archives hold: the wheel what users need, the source archive what tests read."""

import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = "import sys; from setuptools import build_meta; build_meta.build_{}(sys.argv[1])"


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """Names in the wheel and in the source archive, both built from a copy of the checkout."""
    if not (ROOT / "setup.cfg").is_file():
        pytest.skip("the tests do not lie beside the sources of the package")
    folder = tmp_path_factory.mktemp("build")
    left_out = shutil.ignore_patterns(
        ".git", ".venv*", "build", "dist", "runs", "node_modules", "*.egg-info"
    )
    shutil.copytree(ROOT, folder / "copy", ignore=left_out, symlinks=True)
    for kind in ("wheel", "sdist"):
        subprocess.run(
            [sys.executable, "-c", BUILD.format(kind), str(folder)],
            cwd=folder / "copy",
            env={**os.environ, "PYTHONPATH": ""},
            check=True,
            capture_output=True,
        )
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        members = {member.name.partition("/")[2]: member for member in archive}
    return set(zipfile.ZipFile(wheel).namelist()), members


def test_the_wheel_holds_the_package_its_weights_and_its_recipes(archives):
    wheel, _ = archives
    for pattern in ("**/*.py", "weights/*", "flags/*.cfg", "py.typed"):
        expected = [path for path in (ROOT / "rankpose_tf").glob(pattern) if path.is_file()]
        assert expected
        missing = {str(path.relative_to(ROOT)) for path in expected} - wheel
        assert not missing
    assert not [name for name in wheel if name.startswith(("tests", "docs", "flags/", "export"))]


def test_the_source_archive_holds_what_the_tests_read(archives):
    _, source = archives
    for folder in ("tests", "docs", "export", "rankpose_tf", "rankpose_tf/flags"):
        tracked = [
            path.relative_to(ROOT)
            for path in (ROOT / folder).rglob("*")
            if path.suffix in (".py", ".md", ".cfg", ".json", ".csv", ".yaml", ".html", ".js")
            and not {"node_modules", "__pycache__"} & set(path.parts)
        ]
        assert tracked
        missing = [str(path) for path in tracked if str(path) not in source]
        assert not missing
    for name in ("README.md", "LICENSE", "pyproject.toml", "setup.cfg", "flags/wide.cfg"):
        assert source[name].isfile()
