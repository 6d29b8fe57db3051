"""The hand-made dataset of ten objects, a submission that scores it perfectly, and the judge.

Folders of tests that need them import them in their conftest.
"""
import json
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
from ten_objects import VERSION, perfect_submission, write_ten_objects

from geminifusion3d.submission.split_samples import SplitSamples, read_split_samples
from geminifusion3d.submission.validation import Verdict, validate_file


@pytest.fixture(scope='session')
def tiny_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a dataset of three samples."""
    return write_ten_objects(tmp_path_factory.mktemp('tiny') / 'nuscenes')


@pytest.fixture
def perfect() -> Dict[str, Any]:
    """A submission for mini_val that equals its ground truth; the test may change it."""
    return perfect_submission()


@pytest.fixture(scope='session')
def split(tiny_root: Path) -> SplitSamples:
    """The two samples of mini_val."""
    return read_split_samples(data_root=tiny_root, version=VERSION, split='mini_val')


@pytest.fixture
def judge(split: SplitSamples, tmp_path: Path) -> Callable[[Any], Verdict]:
    """Writes content to a file and validates it."""
    def write_and_judge(content: Any) -> Verdict:
        path = tmp_path / 'r.json'
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return validate_file(path, split)
    return write_and_judge
