"""The plots of the benchmarks show the figures that were measured."""

import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.studies import speed_plots
from tests.support.doors import run_door

SPREAD = {"median": 20.0, "least": 15.0, "most": 30.0}


def bars_of(axes):
    """Name of each bar -> its length."""
    names = [label.get_text() for label in axes.get_yticklabels()]
    return dict(zip(names, [bar.get_width() for bar in axes.patches], strict=True))


def test_a_bar_is_as_long_as_its_median_and_its_whisker_as_the_spread():
    setting = {"pipeline": SPREAD, "opencv": {**SPREAD, "median": 16.0}, "decode": SPREAD}
    ratios = {"ratio_to_decode": 1.0, "ratio_to_opencv": 1.25}
    figure = speed_plots.plot("input", {"settings": {"paper": {**setting, **ratios}}})
    (axes,) = figure.axes
    assert bars_of(axes) == {"pipeline": 20.0, "opencv": 16.0, "decode": 20.0}
    (whiskers,) = [part for part in axes.collections if len(part.get_segments()) == 3]
    assert whiskers.get_segments()[0][:, 0].tolist() == [15.0, 30.0]
    assert "1.00 of decoding, 1.25 of OpenCV" in axes.get_title(loc="left")


def test_each_way_and_each_number_of_threads_has_a_panel():
    towers = {"compact": {"ways": {"oneDNN off": {"Siamese": SPREAD}, "on": {"Siamese": SPREAD}}}}
    step = speed_plots.plot("step", {"towers": towers})
    assert [axes.get_title(loc="left") for axes in step.axes] == [
        "compact, oneDNN off",
        "compact, on",
    ]
    rows = {"LiteRT": {"median": 1.5, "least": 1.2, "ratio": 1.0}}
    engines = speed_plots.plot("engines", {"engines": {"1": rows, "default": rows}})
    assert [bars_of(axes) for axes in engines.axes] == [{"LiteRT": 1.5}] * 2


def row(**changed):
    base = {"server": "plain", "signature": "image", "pictures_per_request": 1, "clients": 1}
    return {**base, "pictures_per_second": 50.0, "p99": 9.0, **changed}


def test_a_line_joins_the_numbers_of_clients_of_one_server_and_size():
    rows = [
        row(clients=4, pictures_per_second=90.0, p99=20.0),
        row(),
        row(clients=16, p99=None, pictures_per_second=0.0),
        row(pictures_per_request=16, p99=70.0),
        row(signature="crop"),
    ]
    figure = speed_plots.plot("serving", {"rows": rows})
    image, crop = figure.axes
    assert (image.get_title(), crop.get_title()) == ("image", "crop")
    first, second = image.lines
    assert first.get_xydata().tolist() == [[50.0, 9.0], [90.0, 20.0]]
    assert [second.get_label(), len(crop.lines)] == ["plain, 16 a request", 1]
    with pytest.raises(RankPoseError, match="plots: no request was answered"):
        speed_plots.plot("serving", {"rows": [row(p99=None)]})


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("input", "--plots"), "error: plots: a plot is written beside the figures; pass --out"),
        (("prepare", "--plots", "--out={}"), "error: plots: expected one of input, step"),
        (("serving", "--plots", "--out={}", "--overload=2"), "error: plots: expected one of"),
    ],
)
def test_what_can_not_be_drawn_is_told_before_anything_is_timed(arguments, message, tmp_path):
    done = run_door("benchmark", *(argument.format(tmp_path / "new") for argument in arguments))
    assert done.returncode == 1 and done.stderr.startswith(message)
