"""The page's modules against the package's own functions, in Node.js."""

import csv
import io

import cv2
import numpy as np
import pytest

from rankpose_tf.core import crop, upright
from rankpose_tf.core.expected_error import ANGLES, ERRORS
from rankpose_tf.core.pose import angles_from_rotation, geodesic_distance, rotation_from_angles
from rankpose_tf.inference import blazeface, detection
from rankpose_tf.prediction import results
from rankpose_tf.prediction.smoothing import RotationSmoother
from rankpose_tf.prediction.tracking import Tracker, VideoPoses

SIZE = 80


def picture(height, width, seed=0):
    """A picture with edges and gradients, (H, W, 3) uint8."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (height // 7 + 2, width // 7 + 2, 3), dtype=np.uint8)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    noise = generator.integers(-9, 10, image.shape)
    return np.clip(image.astype(int) + noise, 0, 255).astype(np.uint8)


def given(image):
    height, width = image.shape[:2]
    return {"width": width, "height": height, "rgb": image.reshape(-1).tolist()}


SQUARES = {
    "shrunk": (30.2, 41.7, 350.9, 362.4),
    "enlarged": (100.0, 90.0, 131.5, 121.5),
    "as it is": (60.0, 60.0, 140.0, 140.0),
    "over the left and upper border": (-80.5, -33.3, 120.5, 167.7),
    "over the right and lower border": (300.0, 200.0, 520.0, 420.0),
    "around the picture": (-200.0, -300.0, 800.0, 700.0),
    "outside": (900.0, 900.0, 1000.0, 1000.0),
}


@pytest.fixture(scope="module")
def crops(node):
    """Both sides' crops of one picture, by the name of the square."""
    image = picture(371, 402)
    answers = node(
        "vectors.mjs",
        {"name": "crop", "picture": given(image), "squares": list(SQUARES.values()), "size": SIZE},
    )
    return {
        name: (np.reshape(answer, (SIZE, SIZE, 3)), crop.crop_and_resize(image, square, SIZE))
        for (name, square), answer in zip(SQUARES.items(), answers, strict=True)
    }


@pytest.mark.parametrize("name", SQUARES)
def test_crops_are_the_package_s(crops, name):
    ours, theirs = crops[name]
    whole = np.rint(theirs)
    # In another order of additions a value half-way between two grey levels may go either way.
    assert np.abs(ours - whole).max() <= 1
    assert np.mean(ours != whole) < 1e-3
    assert np.all(ours[whole == 0] <= 1)


def test_squares_are_the_package_s_bit_by_bit(node):
    generator = np.random.default_rng(2)
    corners = generator.uniform(-100, 900, (50, 2))
    boxes = np.hstack([corners, corners + generator.uniform(0, 400, (50, 2))]).tolist()
    boxes.append([5.0, 5.0, 5.0, 5.0])
    ours = node("vectors.mjs", {"name": "squares", "boxes": boxes, "scale": 1.4})
    np.testing.assert_array_equal(ours, [crop.square_around(box, 1.4) for box in boxes])


def sequences():
    """Measurements of a still face with noise, of turns through every angle, and of odd times."""
    generator = np.random.default_rng(3)
    times = np.cumsum(generator.uniform(0.01, 0.08, 120))
    still = np.array([12.0, -5.0, 170.0]) + generator.normal(0, 2, (120, 3))
    turning = np.stack([90 * times, 20 * np.sin(times), -45 * times], axis=1)
    jumps = generator.uniform(-180, 180, (120, 3))
    # Equal times, and a video that is wound back.
    odd = times.copy()
    odd[40:44] = odd[40]
    odd[80:] -= 2.0
    return [(still, times), (turning, times), (jumps, times), (still, odd)]


def test_the_filter_gives_the_package_s_poses(node):
    told = [[[list(a), t] for a, t in zip(*one, strict=True)] for one in sequences()]
    ours = node("vectors.mjs", {"name": "smoothing", "sequences": told})
    for (angles, times), found in zip(sequences(), ours, strict=True):
        smoother = RotationSmoother()
        expected = [smoother.filter(a, t) for a, t in zip(angles, times, strict=True)]
        turns = geodesic_distance(
            rotation_from_angles(np.radians(found)), rotation_from_angles(np.radians(expected))
        )
        assert np.degrees(turns).max() < 1e-6


def test_what_a_model_doubts_counts_as_little_as_in_the_package(node):
    """Also through `VideoPoses`, as the page uses it."""
    generator = np.random.default_rng(4)
    angles, times = sequences()[0]
    errors = generator.uniform(0, 60, (len(times), 3))
    errors[0] = 30.0
    poses, measured = VideoPoses(), list(zip(angles, times, errors, strict=True))
    expected = [poses.smooth([(0, 0, 9, 9)], [a], t, [e]) for a, t, e in measured]
    faces = [
        {"box": [0, 0, 9, 9]} | dict(zip((*ANGLES, *ERRORS), (*a, *e), strict=True))
        for a, _, e in measured
    ]
    frames = [[[face], time] for face, time in zip(faces, times, strict=True)]
    ours = node("vectors.mjs", {"name": "video", "frames": frames})
    assert [face["number"] for (face,) in ours] == [number for (number,), _ in expected]
    found = [[face[name] for name in ANGLES] for (face,) in ours]
    turns = geodesic_distance(
        rotation_from_angles(np.radians(found)),
        rotation_from_angles(np.radians([filtered for _, (filtered,) in expected])),
    )
    assert np.degrees(turns).max() < 1e-6


def test_boxes_that_the_package_refuses_are_refused(node):
    good = [[-20, 5, 30, 40], [0, 0, 1, 2], [90.5, 70, 300, 200]]
    outside = [[100, 5, 140, 30], [5, 80, 30, 130], [-30, 5, 0, 30], [5, -9, 9, 0]]
    wrong = [
        *outside,
        [0.1, 0.2, 0.6, 0.9],
        [9, 5, 9, 8],
        [9, 5, 12, 3],
        [1, 2, None, 4],
        [1, 2, 3],
    ]
    told = node("vectors.mjs", {"name": "boxes", "boxes": good + wrong, "width": 100, "height": 80})
    assert told[: len(good)] == [None] * len(good)
    for answer in told[len(good) :]:
        assert answer.startswith("PoseError: The box") and "100 × 80" in answer


def test_expected_errors_turn_with_the_face_as_in_the_package(node):
    generator = np.random.default_rng(5)
    errors, turns = generator.uniform(0, 90, (20, 3)), generator.uniform(-180, 180, 20)
    told = {"errors": errors.tolist(), "turns": turns.tolist()}
    ours = node("vectors.mjs", {"name": "turned_errors", **told})
    np.testing.assert_allclose(ours, upright.turned_errors(errors, turns))


def test_faces_keep_the_package_s_numbers(node):
    generator = np.random.default_rng(4)
    centres = generator.uniform(100, 500, (5, 2))
    frames = []
    for frame in range(90):
        centres += generator.normal(0, 6, centres.shape)
        seen = generator.permutation(5)[: generator.integers(0, 6)] if frame % 20 < 16 else []
        frames.append([[*(centres[i] - 45), *(centres[i] + 45)] for i in seen])
    ours = node("vectors.mjs", {"name": "tracking", "frames": frames})
    tracker = Tracker()
    assert ours == [tracker.update(boxes) for boxes in frames]


@pytest.mark.parametrize("shape", [(480, 640), (301, 200), (128, 128), (60, 90), (2000, 30)])
def test_the_detector_sees_the_package_s_pixels(node, shape):
    image = picture(*shape)
    ours = node("vectors.mjs", {"name": "letterbox", "picture": given(image)})
    pixels, scale, corner = blazeface.letterboxed(image)
    np.testing.assert_allclose(ours["scale"], scale, rtol=1e-12)
    np.testing.assert_array_equal(ours["corner"], corner)
    levels = np.abs(np.reshape(ours["pixels"], pixels.shape) - pixels) * 127.5
    assert levels.max() < 1.01
    # OpenCV enlarges with weights of 11 bits.
    assert np.mean(levels > 0.5) < (0.1 if max(shape) < blazeface.SIZE else 0.01)


def network_output(seed):
    """Raw boxes and logits as the network gives them: groups of anchors that see one face."""
    generator = np.random.default_rng(seed)
    raw = generator.normal(0, 3, (896, 16)).astype(np.float32)
    raw[:, 2:4] = generator.uniform(20, 60, (896, 2))
    logits = np.where(generator.random(896) < 0.05, 2.0, -4.0) + generator.normal(0, 1, 896)
    return raw, logits.astype(np.float32)


def test_raw_output_gives_the_package_s_faces(node):
    raw, logits = network_output(5)
    told = {"raw": raw.reshape(-1).tolist(), "logits": logits.tolist(), "minimum": 0.5}
    ours = node("vectors.mjs", {"name": "decoding", **told})
    scores = 1 / (1 + np.exp(-logits))
    kept = scores >= 0.5
    boxes, points = blazeface.decoded(raw[kept], blazeface.anchors()[kept])
    boxes, points, scores = blazeface.merged(boxes, points, scores[kept])
    assert len(ours) == len(boxes) > 3
    np.testing.assert_allclose([face["box"] for face in ours], boxes, atol=1e-4)
    np.testing.assert_allclose([face["points"] for face in ours], points, atol=1e-4)
    np.testing.assert_allclose([face["score"] for face in ours], scores, atol=1e-6)


def some_faces():
    generator = np.random.default_rng(6)
    eyes = np.array([[-0.2, -0.15], [0.2, -0.15], [0, 0.05], [0, 0.25], [-0.45, 0], [0.45, 0]])
    faces = []
    for _ in range(20):
        centre, side = generator.uniform(50, 400, 2), generator.uniform(40, 300)
        points = centre + side * (eyes + generator.normal(0, 0.05, eyes.shape))
        faces.append({"box": [*(centre - side / 2), *(centre + side / 2)], "points": points})
    return faces


def turned(points, centre, degrees):
    """Points turned around a centre, clockwise as seen."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return centre + (np.asarray(points) - centre) @ np.array([[c, -s], [s, c]]).T


def test_the_rule_to_the_landmark_box_turns_with_the_face(node):
    faces, turns = some_faces(), [0, 35.0, -90.0, 170.0]
    weights = [list(row) for row in detection.BLAZEFACE_RULE.weights]
    told = [{"box": f["box"], "points": f["points"].tolist()} for f in faces]
    plain = node(
        "vectors.mjs",
        {"name": "landmark_boxes", "faces": told, "turns": [0], "weights": weights},
    )[0]
    expected = [
        detection.landmark_box(np.array(f["box"]), f["points"], detection.BLAZEFACE_RULE)
        for f in faces
    ]
    np.testing.assert_allclose(plain, expected, atol=1e-9)
    for turn in turns:
        rolled = []
        for face in faces:
            box = np.array(face["box"])
            centre = (box[:2] + box[2:]) / 2
            points = turned(face["points"], centre, turn).tolist()
            rolled.append({"box": box.tolist(), "points": points})
        (found,) = node(
            "vectors.mjs",
            {"name": "landmark_boxes", "faces": rolled, "turns": [turn], "weights": weights},
        )
        for face, before, after in zip(faces, expected, found, strict=True):
            box = np.array(face["box"])
            centre, after = (box[:2] + box[2:]) / 2, np.array(after)
            middle = turned((before[:2] + before[2:]) / 2, centre, turn)
            np.testing.assert_allclose((after[:2] + after[2:]) / 2, middle, atol=1e-6)
            np.testing.assert_allclose(after[2:] - after[:2], before[2:] - before[:2], atol=1e-6)


def test_the_angle_of_a_face_is_the_turn_of_its_eyes_and_mouth(node):
    frontal = np.array([[-20, 0], [20, 0], [0, 15], [0, 40], [-45, 5], [45, 5]])
    # Of a profile the eyes are one place; the mouth below them says that it is upright.
    profile = np.array([[0, 0], [1, 3], [-20, 20], [0, 40], [40, 5], [42, 5]])
    turns = np.arange(-170.0, 181.0, 35.0)
    faces = [turned(frontal, np.zeros(2), turn).tolist() for turn in turns]
    found = node("vectors.mjs", {"name": "upright_angles", "faces": [*faces, profile.tolist()]})
    np.testing.assert_allclose(found[:-1], turns, atol=1e-9)
    assert abs(found[-1]) < 6


@pytest.mark.parametrize("turn", [25.0, -60.0, 90.0, 180.0])
def test_an_upright_crop_is_that_of_the_turned_picture(node, turn):
    image, centre, side = picture(300, 320), np.array([150.3, 142.8]), 171.4
    told = {"picture": given(image), "centre": centre.tolist(), "side": side, "turn": turn}
    ours = node("vectors.mjs", {"name": "upright", **told, "size": SIZE})
    ours = np.reshape(ours, (SIZE, SIZE, 3)).astype(float)
    pixels = int(np.ceil(side) + 2 * np.ceil(side / SIZE))
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    rotation = np.array([[c, -s], [s, c]])
    # cv2 counts from the first pixel's centre.
    shift = centre - rotation @ np.full(2, pixels / 2) + rotation @ np.full(2, 0.5) - 0.5
    upright = cv2.warpAffine(
        image,
        np.column_stack([rotation, shift]),
        (pixels, pixels),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    start, end = (pixels - side) / 2, (pixels + side) / 2
    theirs = crop.crop_and_resize(upright, (start, start, end, end), SIZE)
    # cv2 knows places to 1/32 pixel only.
    assert np.abs(ours - theirs).mean() < 0.5
    assert np.abs(ours - theirs).max() < 8


@pytest.mark.parametrize("turn", [35.0, -90.0])
def test_a_large_face_is_shrunk_before_it_is_turned_as_in_the_package(node, turn):
    image, centre, side = picture(601, 520), np.array([260.3, 282.8]), 4500.0
    square = [*(centre - side / 2), *(centre + side / 2)]
    told = {"picture": given(image), "centre": centre.tolist(), "side": side, "turn": turn}
    ours = node("vectors.mjs", {"name": "surroundings", **told})
    theirs, shrink = upright.surroundings(image, centre, side, turn)
    assert (ours["shrink"], ours["width"]) == (shrink, len(theirs)) == (3, 1500)
    first = len(theirs) // 2 - 200
    gaps = np.abs(
        np.array(ours["red"], float) - theirs[first : first + 400, first : first + 400, 0]
    )
    # cv2 knows places to 1/32 pixel only, and here the picture's edges are in it.
    assert gaps.mean() < 0.5 and np.quantile(gaps, 0.999) < 8
    crops = node("vectors.mjs", {"name": "upright", **told, "size": SIZE})
    part, inside = upright.upright_square(image, square, turn, SIZE)
    expected = crop.crop_and_resize(part, inside, SIZE)
    assert np.abs(np.reshape(crops, expected.shape) - expected).max() < 2


def test_a_pose_is_turned_back_about_the_line_of_sight(node):
    generator = np.random.default_rng(7)
    angles = generator.uniform(-60, 60, (40, 3))
    turns = generator.uniform(-180, 180, 40)
    ours = node(
        "vectors.mjs",
        {"name": "turned_back", "angles": angles.tolist(), "turns": turns.tolist()},
    )
    about_z = np.stack([0 * turns, 0 * turns, turns], axis=1)
    rotation = rotation_from_angles(np.radians(about_z)) @ rotation_from_angles(np.radians(angles))
    found = rotation_from_angles(np.radians(ours))
    assert geodesic_distance(found, rotation).max() < 1e-9
    # A face that looks straight ahead and is rolled by some turn has just this roll.
    (straight,) = node(
        "vectors.mjs", {"name": "turned_back", "angles": [[0, 0, 0]], "turns": [130.0]}
    )
    np.testing.assert_allclose(straight, [0, 0, 130], atol=1e-9)


def test_angles_are_the_package_s_up_to_the_lock(node):
    generator = np.random.default_rng(8)
    angles = generator.uniform(-180, 180, (60, 3))
    angles[:6, 0] = [90, -90, 90, -90, 0, 180]
    ours = node("vectors.mjs", {"name": "angles", "angles": angles.tolist()})
    rotations = rotation_from_angles(np.radians(angles))
    np.testing.assert_allclose(ours["rotations"], rotations, atol=1e-12)
    back = angles_from_rotation(np.asarray(ours["rotations"]))
    np.testing.assert_allclose(ours["back"], np.degrees(back), atol=1e-9)


def test_every_camera_is_reached_and_one_that_is_unplugged_blocks_no_other(node):
    told = {"name": "camera", "names": ["front", "back", "tele"], "clicks": 4}
    found = node("vectors.mjs", told)
    assert found["used"] == ["front", "back", "tele", "front", "back", "front"]
    assert found["none"] == "NotFoundError"


def test_a_rounded_rotation_comes_back_up_to_the_lock(node):
    generator = np.random.default_rng(9)
    angles = generator.uniform(-40, 40, (60, 3))
    angles[:, 0] = generator.uniform(89.9, 90, len(angles))
    rotations = rotation_from_angles(np.radians(angles))
    rounded = np.round(rotations, 3).tolist()
    back = node("vectors.mjs", {"name": "angles_back", "rotations": rounded})
    found = rotation_from_angles(np.radians(back))
    assert np.degrees(geodesic_distance(found, rotations)).max() < 0.1


def test_rows_are_read_by_the_package(node, tmp_path):
    face = {"box": [1.234, 2, 30.005, 40], "score": 0.87654, "yaw": -12.345678, "pitch": 0,
            "roll": 1e-7, "number": 3}  # fmt: skip
    frames = [
        {"where": {"path": 'my "best", one.jpg'}, "faces": [face]},
        {"where": {"path": "camera", "frame": 7, "time": 0.2333333333}, "faces": []},
    ]
    text = node("vectors.mjs", {"name": "csv", "frames": frames})
    assert tuple(next(csv.reader(io.StringIO(text)))) == results.COLUMNS
    (tmp_path / "poses.csv").write_text(text)
    first, second = results.read(tmp_path / "poses.csv")
    assert (first.path, first.frame, first.face) == ('my "best", one.jpg', None, 3)
    assert first.box == (1.23, 2.0, 30.0, 40.0) or first.box == (1.23, 2.0, 30.01, 40.0)
    assert first.score == 0.8765
    assert first.angles == (-12.3457, 0.0, 0.0)
    assert (second.path, second.frame, second.time) == ("camera", 7, 0.233333)
    assert (second.face, second.angles, second.reason) == (None, None, "no face found")


def test_expected_errors_are_there_if_the_model_says_them(node):
    plain = {"box": [0, 0, 9, 9], "score": 0.9, "yaw": 20.4, "pitch": -3.2, "roll": 0.5}
    errors = {"yaw_error": 2.0, "pitch_error": 4.0, "roll_error": 3.0}
    told = {"name": "words", "faces": [plain, plain | errors]}
    (words, none), (_, three) = node("vectors.mjs", told)
    assert words == "Face 1: turned 20 degrees to the picture's left, chin 3 degrees down."
    assert (none, three) == (None, 3.0)
    text = node(
        "vectors.mjs",
        {"name": "csv", "frames": [{"where": {"path": "a"}, "faces": [plain | errors]}]},
    )
    assert text.splitlines()[0].endswith("reason,yaw_error,pitch_error,roll_error")
    assert text.splitlines()[1].endswith(",2.0,4.0,3.0")
