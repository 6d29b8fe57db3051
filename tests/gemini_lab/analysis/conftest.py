"""The hand-made dataset of ten objects and a submission that scores it perfectly."""
from pathlib import Path
from typing import Any, Dict

import pytest
from ten_objects import perfect_submission, write_ten_objects


@pytest.fixture(scope='session')
def tiny_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a dataset of three samples."""
    return write_ten_objects(tmp_path_factory.mktemp('tiny') / 'nuscenes')


@pytest.fixture
def perfect() -> Dict[str, Any]:
    """A submission for mini_val that equals its ground truth; the test may change it."""
    return perfect_submission()
