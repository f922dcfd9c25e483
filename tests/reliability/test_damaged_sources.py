"""Whatever is in the files of a face set, a view is read, skipped for a reason, or one sentence.

Twenty damaged copies of each here; `python -m pytest -m reliability` tries 2,000.
"""

import io
import zipfile

import cv2
import numpy as np
import pytest

from rankpose_tf.preparation import plan, readers, sources, views
from tests.support import made_up_biwi
from tests.support import made_up_faces as made_up
from tests.support.mutations import MANY, ends, mutated

ROWS = "image,identity,yaw,pitch,roll,left,top,right,bottom\n" + "".join(
    f"{name}.jpg,{name},{number},-3.5,0.25,2,3,20,22\n" for number, name in enumerate("abcd")
)
JSON_ROWS = "".join(
    f'{{"image": "{name}.jpg", "identity": "{name}", "yaw": 1, "pitch": -2.5, "roll": 3}}\n'
    for name in "abcd"
)


def read_all(source, kind="auto", **options):
    """Reads every view that a source lists; SkippedView if there is one and none is read."""
    listed = plan.make(source, kind, shards=1, **options)
    opened = sources.open_source(source)
    reason = views.SkippedView("nothing listed")
    read = 0
    for identity in listed.identities:
        for view in identity.views:
            try:
                readers.READERS[listed.kind].read_view(opened, view)
                read += 1
            except views.SkippedView as skipped:
                reason = skipped
    opened.close()
    if not read:
        raise reason


def picture(suffix):
    pixels = np.random.default_rng(0).integers(0, 255, (24, 24, 3), np.uint8)
    return cv2.imencode(suffix, pixels)[1].tobytes()


def zipped():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("AFW/a_0.jpg", made_up.jpeg())
        archive.writestr("AFW/a_0.mat", made_up.label())
    return stream.getvalue()


# Name of the file that is damaged -> kind, its content, the files beside it.
FILES = {
    "AFW/a_0.mat": ("w300lp", made_up.label(), {"AFW/a_0.jpg": made_up.jpeg()}),
    "AFW/a_0.jpg": ("w300lp", made_up.jpeg(), {"AFW/a_0.mat": made_up.label()}),
    "AFW/b_0.png": ("w300lp", picture(".png"), {"AFW/b_0.mat": made_up.label()}),
    "image00001.mat": (
        "aflw2000",
        made_up.label(pt3d_68=made_up.landmarks(rows=3), pt2d=np.full((2, 21), -1.0)),
        {"image00001.jpg": made_up.jpeg()},
    ),
    "hpdb/01/frame_00003_pose.txt": (
        "biwi",
        made_up_biwi.pose_text().encode(),
        {
            "hpdb/01/frame_00003_rgb.png": made_up_biwi.PNG,
            "hpdb/01/rgb.cal": made_up_biwi.cal_text().encode(),
        },
    ),
    "hpdb/01/rgb.cal": (
        "biwi",
        made_up_biwi.cal_text().encode(),
        {
            "hpdb/01/frame_00003_rgb.png": made_up_biwi.PNG,
            "hpdb/01/frame_00003_pose.txt": made_up_biwi.pose_text().encode(),
        },
    ),
    "faces.csv": ("auto", ROWS.encode(), {f"{name}.jpg": made_up.jpeg() for name in "abcd"}),
    "faces.jsonl": ("auto", JSON_ROWS.encode(), {f"{name}.jpg": made_up.jpeg() for name in "abcd"}),
    "faces.tiff": ("manifest", picture(".tiff"), {"t.csv": ROWS.replace("a.jpg", "faces.tiff")}),
    "set.zip": ("auto", zipped(), {}),
}


def try_all(folder, name, count):
    """Counts of how damaged copies of one file of a set end."""
    kind, content, others = FILES[name]
    for beside, whole in others.items():
        (folder / beside).parent.mkdir(parents=True, exist_ok=True)
        (folder / beside).write_bytes(whole if isinstance(whole, bytes) else whole.encode())
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    source = path if sources.is_table(name) or name.endswith(".zip") else folder
    source = folder / "t.csv" if name == "faces.tiff" else source
    options = {"label_unit": "degrees"} if "faces" in name else {}
    read_all_of = lambda _: read_all(source, kind, **options)  # noqa: E731
    read_all_of(path.write_bytes(content))
    told = {views.SkippedView: "a counted skip"}
    return ends(read_all_of, path, mutated(content, count), told=told)


@pytest.mark.parametrize("name", FILES)
def test_a_view_a_skip_or_a_sentence(name, tmp_path):
    counts = try_all(tmp_path, name, 20)
    assert sum(counts.values()) == 20


@pytest.mark.reliability
@pytest.mark.parametrize("name", FILES)
def test_a_view_a_skip_or_a_sentence_2000_times(name, tmp_path):
    print(name, try_all(tmp_path, name, MANY))
