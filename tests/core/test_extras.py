"""Packages of an extra: given where they are, told with the line that installs them else."""

import json
import sys

import pytest

from rankpose_tf.core import extras
from rankpose_tf.core.errors import RankPoseError


def test_a_module_that_is_there_is_given():
    assert extras.load("json", "plots", "plots") is json
    assert extras.find("json.decoder", "plots", "plots").name == "json.decoder"


@pytest.mark.parametrize("ask", [extras.load, extras.find])
def test_a_module_that_is_not_there_is_told_with_the_line_that_installs_it(ask):
    line = (
        r"^plots: the package absent_one can't be imported .*; install it with "
        r'pip install "rankpose_tf\[plots\]", or draw by hand$'
    )
    with pytest.raises(RankPoseError, match=line):
        ask("absent_one", "plots", "plots", "draw by hand")


def test_a_package_goes_by_its_name_on_the_index(monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(RankPoseError, match=r'ai-edge-litert .*"rankpose_tf\[ondevice\]"$'):
        extras.load("ai_edge_litert.interpreter", "ondevice", "formats")
