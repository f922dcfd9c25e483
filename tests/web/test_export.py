"""The format web of the export command: what it copies, and what it refuses."""

import json
import re
import shutil

import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.exporting import run as exporting
from rankpose_tf.exporting import web
from tests.web.conftest import SOURCES


@pytest.fixture
def checkout(tmp_path):
    """A checkout's page without packages."""
    sources = tmp_path / "checkout/export/web"
    shutil.copytree(SOURCES, sources, ignore=shutil.ignore_patterns("node_modules"))
    (tmp_path / "checkout/LICENSE").write_text("licence")
    return sources


def install(sources, name, version):
    folder = sources / "node_modules" / name
    folder.mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps({"name": name, "version": version}))


def test_absent_packages_are_asked_for_and_nothing_is_left(checkout, tmp_path, monkeypatch,
                                                           small_model):  # fmt: skip
    monkeypatch.setattr(web, "_sources", lambda: checkout)
    with pytest.raises(RankPoseError, match="@litertjs/core .* npm; run `npm ci"):
        exporting.export(model=small_model, out=tmp_path / "out", formats=["web"])
    assert not (tmp_path / "out").exists()


def test_another_version_than_the_tested_one_is_refused(checkout, tmp_path):
    install(checkout, "@litertjs/core", "1.0.0")
    with pytest.raises(RankPoseError, match="@litertjs/core 2"):
        web.write(None, {}, tmp_path / "index.html", sources=checkout)


def test_an_installed_package_outside_of_a_checkout_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(web.rankpose_tf, "__file__", str(tmp_path / "site/rankpose_tf/x.py"))
    with pytest.raises(RankPoseError, match="in a checkout"):
        web._sources()


def test_all_formats_are_model_files_so_that_npm_is_not_needed():
    assert "web" not in exporting.expand(["all"])
    assert exporting.expand(["web"]) == ["web"]


def test_a_model_of_one_s_own_runs_on_the_page(packages, one_block_model, tmp_path):
    report = exporting.export(
        model=one_block_model, out=tmp_path / "out", formats=["web"], time_files=False
    )
    (row,) = report["files"]
    assert row["file"] == "index.html"
    assert row["max_difference_degrees"] < 1e-3
    assert row["bytes"] > sum((packages / web._CORE / "wasm" / n).stat().st_size
                              for n in web._RUNTIME)  # fmt: skip
    told = json.loads((tmp_path / "out/description.json").read_text())
    assert (told["model"]["input_size"], told["model"]["training_set"]) == (32, "none")
    with pytest.raises(RankPoseError, match="nothing is overwritten"):
        exporting.export(model=one_block_model, out=tmp_path / "out", formats=["web"])


def test_the_page_names_every_module_ahead_and_no_other_origin():
    html = (SOURCES / "index.html").read_text(encoding="utf-8")
    named = set(re.findall(r'rel="modulepreload" href="([^"]+)"', html))
    modules = {f"modules/{path.name}" for path in (SOURCES / "modules").glob("*.js")}
    assert named == modules | {"rankpose.js", "litert/index.js", "litert/wasm-utils.js"}
    policy = re.search(r'content="(default-src[^"]+)"', html)[1]
    assert policy.startswith("default-src 'none';")
    assert "'unsafe-inline'" not in policy and "'unsafe-eval'" not in policy
    for path in (SOURCES / "index.html", SOURCES / "page.css", *SOURCES.glob("**/*.js")):
        if "node_modules" not in path.parts:
            text = path.read_text(encoding="utf-8")
            addresses = set(re.findall(r"https?://[^\s\"'`)]+", text))
            assert not addresses, path.name


def test_the_lock_file_names_no_registry():
    lock = json.loads((SOURCES / "package-lock.json").read_text())
    assert not any("resolved" in package for package in lock["packages"].values())
    pinned = json.loads((SOURCES / "package.json").read_text())
    assert all(v[0].isdigit() for v in pinned["dependencies"].values())
