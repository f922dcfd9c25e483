"""A page for browsers: a folder that any static server serves, docs/web.md.

The page's sources are in `export/web` of a checkout, beside what `npm ci` puts there: LiteRT.js
and BlazeFace's file. Nothing is built: files are copied, the model is converted, and
description.json tells the page the crop rule, the input size, the detector's rule, the licences
and the version, so that a model of one's own runs there too.
"""

import json
import pathlib
import shutil

import rankpose_tf
from rankpose_tf.core import files
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.expected_error import columns_of
from rankpose_tf.exporting import tflite, tflite_metadata
from rankpose_tf.inference.landmark_rule import BLAZEFACE_RULE

MODEL = "models/rankpose.tflite"
DETECTOR = "models/blazeface.tflite"
DESCRIPTION = "description.json"
_SOURCES = ("index.html", "*.css", "*.js", "modules/*.js", "icon.svg", "example.jpg")
_RUNTIME = ("litert_wasm_compat_internal.js", "litert_wasm_compat_internal.wasm")
_CORE = "@litertjs/core"
_UTILITIES = "@litertjs/wasm-utils"
_FACES = "@mediapipe/face_detection"
# What keeps LiteRT.js from running without a bundler, and from waking a graphics processor that
# is not used here: text -> what it becomes.
_CHANGES = {
    f'from "{_UTILITIES}"': 'from "./wasm-utils.js"',
    "await Environment.create()": "await Environment.create({ webGpuDevice: null })",
}
_NOTE = "// Changed by rankpose_tf.exporting.web: the address of an import; no WebGPU device.\n"


def write(network, description, path, sources=None):
    """Writes the page.

    Args:
      network: (B, H, W, 3) RGB 0..255 -> (B, 3) or (B, 6) radians.
      description: of `saving.load_model`.
      path: of index.html, in an empty folder; everything else is written beside it.
      sources: folder of the page's sources; None is `export/web` of the checkout.

    Raises:
      RankPoseError: if the sources or the npm packages are absent, or are not those that were
        tested.
    """
    folder, sources = path.parent, pathlib.Path(sources or _sources())
    packages = _packages(sources)
    for pattern in _SOURCES:
        for source in sorted(sources.glob(pattern)):
            _copy(source, folder / source.relative_to(sources))
    _copy(sources.parents[1] / "LICENSE", folder / "LICENSE")
    _copy_runtime(packages, folder / "litert")
    _copy(packages / _FACES / "face_detection_short_range.tflite", folder / DETECTOR)
    (folder / MODEL).parent.mkdir(exist_ok=True)
    tflite.write(network, description, "fp32", folder / MODEL)
    files.write_json(folder / DESCRIPTION, _described(description, packages, columns_of(network)))


def _sources():
    """`export/web` of the checkout that this package, or the current folder, lies in."""
    for root in (pathlib.Path(rankpose_tf.__file__).parents[1], pathlib.Path.cwd()):
        if (root / "export/web/index.html").is_file():
            return root / "export/web"
    raise RankPoseError(
        "formats: web needs the page's sources, which are not in the installed package; run the "
        "command in a checkout of rankpose_tf, which has export/web"
    )


def _packages(sources):
    """node_modules of the sources, with the versions that package.json names."""
    wanted = json.loads((sources / "package.json").read_text(encoding="utf-8"))["dependencies"]
    packages = sources / "node_modules"
    for name, version in wanted.items():
        installed = packages / name / "package.json"
        if not installed.is_file() or _version(packages, name) != version:
            raise RankPoseError(
                f"formats: web needs {name} {version} from npm; run `npm ci --omit=dev` in "
                f"{str(sources)!r}, then export again"
            )
    return packages


def _version(packages, name):
    about = json.loads((packages / name / "package.json").read_text(encoding="utf-8"))
    return about["version"]


def _copy_runtime(packages, folder):
    """LiteRT.js as browsers load it without a bundler, and its one build that is used."""
    text = (packages / _CORE / "dist/index.js").read_text(encoding="utf-8")
    for before, after in _CHANGES.items():
        if text.count(before) != 1:
            raise RankPoseError(
                f"formats: {_CORE} has no single {before!r}; it is another version than web was "
                "written for, run `npm ci` in export/web"
            )
        text = text.replace(before, after)
    folder.mkdir()
    # Source maps are not copied, so the line that names one would be a request that fails.
    lines = [line for line in text.splitlines() if not line.startswith("//# sourceMappingURL")]
    files.write_text(folder / "index.js", _NOTE + "\n".join(lines) + "\n")
    utilities = (packages / _UTILITIES / "dist/index.js").read_text(encoding="utf-8")
    files.write_text(folder / "wasm-utils.js", utilities.partition("//# sourceMappingURL")[0])
    for name in _RUNTIME:
        _copy(packages / _CORE / "wasm" / name, folder / name)


def _copy(source, place):
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, place)


def _described(description, packages, labels):
    about = tflite_metadata.describe(description, "fp32", labels)
    told = ("labels", "unit", "signs", "input", "input_size", "crop", "crop_scale", "licence")
    return {
        "version": about["version"],
        "licence": "Apache-2.0",
        "model": {
            "file": MODEL,
            "tower": description["tower"],
            "training_set": description.get("training_set", "unknown"),
            **{name: about[name] for name in told},
        },
        "detector": {
            "name": "BlazeFace, short range (MediaPipe)",
            "file": DETECTOR,
            "licence": "Apache-2.0",
            "version": f"{_FACES} {_version(packages, _FACES)}",
            "rule": [list(row) for row in BLAZEFACE_RULE.weights],
        },
        "runtime": {
            "name": "LiteRT.js",
            "licence": "Apache-2.0",
            "version": f"{_CORE} {_version(packages, _CORE)}",
        },
    }
