"""What tests of the training loop share."""

import pytest

from tests.support.one_block import one_block_towers


@pytest.fixture(scope="module", autouse=True)
def towers_of_one_block():
    """Of trainings in this process; a command in a process of its own has the true tower."""
    with one_block_towers():
        yield
