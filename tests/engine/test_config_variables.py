"""A name at the top of a user's config that nothing reads is refused with the names that act."""
from pathlib import Path

import pytest

from geminifusion3d.engine import config_variables
from geminifusion3d.engine.config_file import load_config
from geminifusion3d.errors import UserError

DEMO = Path(__file__).parents[2] / 'configs/demo/geminifusion3d_tiny_lidar_synthetic-mini.py'


def own(tmp_path: Path, text: str, base: object = str(DEMO)) -> str:
    """Writes a config of one's own and returns its path."""
    path = tmp_path / 'mine.py'
    path.write_text((f'_base_ = {base!r}\n' if base else '') + text)
    return str(path)


@pytest.mark.parametrize('text, acting', [
    ('voxel_m = [0.5, 0.5, 6.0]', 'set model.lidar_branch.voxel_m there'),
    ('bev_grid = dict(cell_m=0.5)', 'model.bev_grid.cell_m'),
    ('sweeps_num = 0', 'train_dataloader.dataset.pipeline.0.sweeps_num'),
    ("data_root, other = 'elsewhere', 1", 'train_dataloader.dataset.data_root')])
def test_a_variable_that_the_inherited_files_have_used_before_names_what_acts(tmp_path, text, acting):
    with pytest.raises(UserError) as refusal:
        load_config(own(tmp_path, text))
    assert acting in str(refusal.value) and '--cfg-options' in str(refusal.value)
    assert str(refusal.value).count('\n') == 0


def test_a_variable_that_the_file_uses_itself_passes(tmp_path):
    cfg = load_config(own(tmp_path, 'max_epochs = 3\ntrain_cfg = dict(max_epochs=max_epochs)\n'))
    assert cfg.train_cfg.max_epochs == 3


def test_an_edited_number_at_the_top_of_a_dumped_config_is_warned_of(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(config_variables, 'print_log', lambda text, *_: said.append(text))
    cfg = load_config(str(DEMO))
    cfg.dump(tmp_path / 'dumped.py')
    load_config(str(tmp_path / 'dumped.py'))
    assert said == []
    trained = cfg.train_cfg.max_epochs
    cfg.max_epochs = 99
    cfg.dump(tmp_path / 'dumped.py')
    load_config(str(tmp_path / 'dumped.py'))
    assert len(said) == 1
    assert f'max_epochs = 99, which nothing reads; train_cfg.max_epochs is {trained}' in said[0]


def test_a_misspelt_section_is_refused_and_a_note_is_not(tmp_path):
    with pytest.raises(UserError, match='optim_wraper.* which nothing reads: did you mean optim_wrapper?'):
        load_config(own(tmp_path, 'optim_wraper = dict(optimizer=dict(lr=1.0))'))
    assert load_config(own(tmp_path, "author = 'me'\nclass_weights = [1, 2]")).author == 'me'


@pytest.mark.parametrize('text, meant', [('max_epoch = 3', 'max_epochs'), ("data_rot = 'x'", 'data_root')])
def test_a_misspelt_variable_of_the_inherited_files_is_refused(tmp_path, text, meant):
    with pytest.raises(UserError, match=f'which nothing reads: did you mean {meant}?'):
        load_config(own(tmp_path, text))


def test_a_name_that_nobody_knows_is_said_once_and_one_that_is_used_is_not(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(config_variables, 'print_log', lambda text, *_: said.append(text))
    load_config(own(tmp_path, 'helper = 3\nwarmup_share = 0.1\nnote = 1\n'
                              'train_cfg = dict(max_epochs=helper)\n'))
    assert said == [f'{tmp_path}/mine.py sets warmup_share, note, which nothing reads: no setting has that '
                    'name']
    said.clear()
    load_config(own(tmp_path, '_note = 1\nmax_epochs = 2\ntrain_cfg = dict(max_epochs=max_epochs)'))
    assert said == []


@pytest.mark.parametrize('text', ['', 'with read_base():\n    from .a import *'])
def test_what_is_no_plain_config_is_left_to_the_reader(tmp_path, text):
    path = tmp_path / 'mine.py'
    path.write_text(text)
    (tmp_path / 'a.py').write_text('')
    if text:
        path.write_text('from mmengine.config import read_base\n' + text)
    load_config(str(path))
