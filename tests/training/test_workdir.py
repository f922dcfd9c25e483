"""Whose a run's folder is."""

import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.training.flags_cfg import from_flagfile
from rankpose_tf.training.recipe import Recipe
from rankpose_tf.training.workdir import claimed


def begin(folder, recipe, data=None, init=None):
    """A run that got as far as a checkpoint."""
    contents = {"data": data, "init": init}
    with claimed(folder, recipe, {name: text for name, text in contents.items() if text}):
        (folder / "last.keras").write_bytes(b"")


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("all of it")
    with pytest.raises(RankPoseError, match="is not empty and holds no training run"):
        begin(tmp_path, Recipe())
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_second_run_is_kept_out_until_the_first_has_ended(tmp_path):
    with claimed(tmp_path / "run", Recipe()):
        with pytest.raises(RankPoseError, match="another run is training in"):
            begin(tmp_path / "run", Recipe(beta=0.25))
        assert from_flagfile((tmp_path / "run" / "flags.cfg").read_text()) == Recipe()
    begin(tmp_path / "run", Recipe())


def test_data_are_known_by_their_content_wherever_they_lie(tmp_path):
    begin(tmp_path, Recipe(data="faces"), "of faces")
    begin(tmp_path, Recipe(data="/elsewhere/faces/"), "of faces")
    with pytest.raises(RankPoseError, match="data=faces .begun with another content of faces"):
        begin(tmp_path, Recipe(data="faces"), "of others")


def test_the_start_model_is_known_by_its_content(tmp_path):
    begin(tmp_path, Recipe(init="wide"), "of faces", "1f")
    begin(tmp_path, Recipe(init="copy/of/wide.keras"), "of faces", "1f")
    begin(tmp_path, Recipe(init="shipped"), "of faces", "1f")
    with pytest.raises(RankPoseError, match="init=wide .begun with another content of wide"):
        begin(tmp_path, Recipe(init="wide"), "of faces", "2e")
    with pytest.raises(RankPoseError, match="init=compact .begun with another content of wide"):
        begin(tmp_path, Recipe(init="compact"), "of faces", "2e")


def test_another_recipe_is_told_with_both_values(tmp_path):
    begin(tmp_path, Recipe(beta=0.5))
    with pytest.raises(RankPoseError, match=r"--beta=0.25 \(begun with 0.5\)"):
        begin(tmp_path, Recipe(beta=0.25))


def test_a_longer_training_is_told_what_to_do(tmp_path):
    begin(tmp_path, Recipe(epochs=3))
    with pytest.raises(RankPoseError, match="run of 3 epochs.* start anew in another --workdir"):
        begin(tmp_path, Recipe(epochs=5))


@pytest.mark.parametrize("left", ["best.keras", "result.json"])
def test_what_a_run_made_binds_its_folder_also_without_the_checkpoint(tmp_path, left):
    begin(tmp_path, Recipe(beta=0.5))
    (tmp_path / "last.keras").rename(tmp_path / left)
    with pytest.raises(RankPoseError, match=r"--beta=0.25 \(begun with 0.5\)"):
        begin(tmp_path, Recipe(beta=0.25))
    assert from_flagfile((tmp_path / "flags.cfg").read_text()).beta == 0.5


def test_a_finished_run_without_its_checkpoint_is_not_begun_anew(tmp_path):
    begin(tmp_path, Recipe())
    (tmp_path / "last.keras").rename(tmp_path / "result.json")
    with pytest.raises(RankPoseError, match="holds a finished run without last.keras"):
        begin(tmp_path, Recipe())
