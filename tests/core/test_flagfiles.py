"""The package's flagfiles are found from any folder; a file that is there comes first."""

import pathlib

import pytest

from rankpose_tf.core import flagfiles
from tests.support.doors import run_door


def test_the_package_has_what_the_checkout_names():
    checkout = pathlib.Path(__file__).resolve().parents[2] / "flags"
    if not checkout.is_dir():
        pytest.skip("no checkout: flags/ is in the package alone")
    names = {path.name for path in checkout.glob("*.cfg")}
    assert names == {path.name for path in flagfiles.FOLDER.glob("*.cfg")}
    assert {"paper.cfg", "wide.cfg", "compact.cfg", "smoke.cfg"} <= names


def test_a_file_that_is_there_comes_before_the_packages(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert flagfiles.find("flags/wide.cfg") == str(flagfiles.FOLDER / "wide.cfg")
    (tmp_path / "flags").mkdir()
    (tmp_path / "flags/wide.cfg").write_text("--seed=1\n")
    assert flagfiles.find("flags/wide.cfg") == "flags/wide.cfg"
    assert flagfiles.find("flags/compact.cfg") == str(flagfiles.FOLDER / "compact.cfg")


@pytest.mark.parametrize(
    "path", ["wide.cfg", "mine/flags/wide.cfg", "/flags/wide.cfg", "flags", "~nobody.cfg"]
)
def test_another_path_stays(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert flagfiles.find(path) == path


def test_a_pattern_finds_the_packages(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert flagfiles.find("flags/table3_*.cfg") == str(flagfiles.FOLDER / "table3_*.cfg")


@pytest.mark.parametrize(
    "words",
    [["--flagfile=flags/wide.cfg"], ["--flagfile", "flags/wide.cfg"], ["-flagfile=flags/wide.cfg"]],
)
def test_every_way_to_name_it(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rest = ["--seed=1", "--", "--flagfile=flags/compact.cfg"]
    first, *others = flagfiles.in_arguments(words + rest)
    assert first.partition("=")[2] == str(flagfiles.FOLDER / "wide.cfg")
    assert others == rest


def test_train_takes_the_packages_recipe_from_any_folder(tmp_path):
    # It gets as far as the data.
    arguments = ["--flagfile=flags/wide.cfg", "--data=absent", "--workdir=run"]
    run = run_door("train", *arguments, cwd=tmp_path)
    assert run.returncode == 1
    assert "absent" in run.stderr and "flagfile" not in run.stderr
    assert not (tmp_path / "run").exists()
