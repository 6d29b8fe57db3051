"""Digests follow what scores depend on, and nothing else."""
from pathlib import Path

import pytest
from mmengine.config import Config

from geminifusion3d.errors import UserError
from gemini_lab.robustness.identity import identity_of


@pytest.fixture
def checkpoint(tmp_path: Path) -> str:
    (tmp_path / 'infos.pkl').write_bytes(b'infos')
    (tmp_path / 'model.pth').write_bytes(b'weights')
    return str(tmp_path / 'model.pth')


def recipe(checkpoint: str, **changed: object) -> Config:
    dataset = dict(data_root=str(Path(checkpoint).parent), ann_file='infos.pkl')
    return Config({**dict(test_dataloader=dict(dataset=dataset), model=dict(width=1)), **changed})


def differing(before: dict, after: dict) -> list:
    return [name for name in before if before[name] != after[name]]


def test_each_input_has_its_digest(checkpoint):
    before = identity_of(recipe(checkpoint), checkpoint)
    assert identity_of(recipe(checkpoint, work_dir='elsewhere', launcher='slurm'), checkpoint) == before
    assert differing(before, identity_of(recipe(checkpoint, model=dict(width=2)), checkpoint)) == ['config']
    Path(checkpoint).write_bytes(b'other weights')
    assert differing(before, identity_of(recipe(checkpoint), checkpoint)) == ['checkpoint']
    Path(checkpoint).with_name('infos.pkl').write_bytes(b'other infos')
    assert differing(before, identity_of(recipe(checkpoint), checkpoint)) == ['checkpoint', 'dataset']


def test_a_file_that_is_absent_is_named(checkpoint):
    with pytest.raises(UserError, match='nowhere.pth cannot be read'):
        identity_of(recipe(checkpoint), 'nowhere.pth')
