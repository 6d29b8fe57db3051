"""One info file for dataset and metric, and the flag that names another split's."""
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from ten_objects import EGO_XYZ_M, VAL_TOKENS, write_infos

from geminifusion3d.errors import UserError
from geminifusion3d.results.evaluated_split import (check_same_info_file, choose_split, info_file_of_split,
                                                    read_info_file)


def recipe(root: Path, read: str = 'geminifusion3d_infos_mini_val.pkl', scored: str = '') -> Config:
    """A recipe's two sections that name an info file."""
    return Config(dict(
        test_dataloader=dict(dataset=dict(data_root=str(root), ann_file=read)),
        test_evaluator=[dict(type='GeminiNuScenesMetric', data_root=str(root), ann_file=scored or read),
                        dict(type='Other')]))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with info files of three splits."""
    for split in ('mini_train', 'mini_val', 'night'):
        (tmp_path / f'geminifusion3d_infos_{split}.pkl').write_bytes(b'')
    return tmp_path


@pytest.mark.parametrize('asked, found', [
    ('mini_train', 'mini_train'), ('train', 'mini_train'), ('val', 'mini_val'), ('night', 'night')])
def test_the_flag_changes_dataset_and_metric(root, asked, found):
    cfg = recipe(root)
    choose_split(cfg, asked)
    assert cfg.test_dataloader.dataset.ann_file == f'geminifusion3d_infos_{found}.pkl'
    assert cfg.test_evaluator[0].ann_file == f'geminifusion3d_infos_{found}.pkl'
    assert 'ann_file' not in cfg.test_evaluator[1]
    check_same_info_file(cfg, 'test')


def test_without_the_flag_the_recipe_stays(root):
    cfg = recipe(root)
    choose_split(cfg, None)
    assert cfg.to_dict() == recipe(root).to_dict()


def test_beside_a_file_of_trainval_val_is_val(root):
    (root / 'geminifusion3d_infos_val.pkl').write_bytes(b'')
    found = info_file_of_split(root / 'geminifusion3d_infos_train.pkl', 'val')
    assert found.name == 'geminifusion3d_infos_val.pkl'


def test_a_split_that_was_not_converted_names_the_command(root):
    with pytest.raises(UserError, match=r'no info file .*geminifusion3d_infos_rain.pkl.*--split rain'):
        choose_split(recipe(root), 'rain')


def test_another_file_for_the_metric_is_refused_before_anything_runs(root):
    with pytest.raises(UserError, match='reads .*mini_val.pkl, test_evaluator scores .*mini_train.pkl'):
        check_same_info_file(recipe(root, scored='geminifusion3d_infos_mini_train.pkl'), 'test')


def test_the_same_file_under_another_name_is_the_same(root):
    check_same_info_file(recipe(root, scored=str(root / 'geminifusion3d_infos_mini_val.pkl')), 'test')
    check_same_info_file(recipe(root), 'val')


def test_a_wrapped_dataset_is_looked_into(root):
    cfg = recipe(root, scored='geminifusion3d_infos_mini_train.pkl')
    cfg.test_dataloader.dataset = dict(type='Wrapper', dataset=cfg.test_dataloader.dataset)
    with pytest.raises(UserError, match='expected the same info file'):
        check_same_info_file(cfg, 'test')


class Malicious:
    """Runs a command when an ordinary unpickler reads it."""

    def __reduce__(self) -> tuple:
        """Names a function and its arguments."""
        return os.system, ('echo executed', )


def test_the_facts_of_a_split_are_read(tmp_path: Path) -> None:
    infos = read_info_file(write_infos(tmp_path / 'infos.pkl'))
    assert (infos.version, infos.split, infos.has_annotations) == ('v1.0-mini', 'mini_val', True)
    assert [frame.token for frame in infos.frames] == list(VAL_TOKENS)
    frame = infos.frames[0]
    np.testing.assert_allclose(frame.ego_xy_global_m, EGO_XYZ_M[:2])
    # The LiDAR stands 0.944 m before the rear axle, the car looks 30 degrees to the left of x.
    np.testing.assert_allclose(
        frame.global_from_lidar[:3, 3],
        [100 + 0.944 * np.cos(np.pi / 6), 200 + 0.944 * np.sin(np.pi / 6), 1.84])


def test_code_in_an_info_file_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    path = tmp_path / 'infos.pkl'
    path.write_bytes(pickle.dumps({'metainfo': Malicious()}))
    with pytest.raises(UserError, match='asks for posix.system'):
        read_info_file(path)
    assert 'executed' not in capfd.readouterr().out


@pytest.mark.parametrize('content, message', [
    (None, 'cannot read'), (b'', 'damaged or no pickle'), (b'text', 'damaged or no pickle'),
    (pickle.dumps({'data_list': []}), 'no info file'),
    (pickle.dumps({'metainfo': {'version': 'v'}, 'data_list': []}), 'no info file'),
    (pickle.dumps([1]), 'no info file')])
def test_what_is_no_info_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / 'infos.pkl'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_info_file(path)


def test_a_cut_info_file_is_named(tmp_path: Path) -> None:
    path = write_infos(tmp_path / 'infos.pkl')
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match='write it again'):
        read_info_file(path)
