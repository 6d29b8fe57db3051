"""The demo's recipe with weights that nobody trained, over a small synthetic world."""
from pathlib import Path

import pytest
from demo_weights import CONFIG, write_checkpoint

from geminifusion3d.inference import Detector, Sample, nuscenes_samples


@pytest.fixture(scope='session')
def checkpoint(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the demo."""
    return write_checkpoint(CONFIG, tmp_path_factory.mktemp('weights') / 'epoch_1.pth', sample)


@pytest.fixture(scope='session')
def detector(checkpoint: Path) -> Detector:
    """The demo's detector."""
    return Detector.from_files(CONFIG, checkpoint)


@pytest.fixture(scope='session')
def sample(synthetic_root: Path) -> Sample:
    """The second keyframe of a scene: it has sweeps before it."""
    return list(nuscenes_samples(synthetic_root, 'v1.0-mini'))[1]
