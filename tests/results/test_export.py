"""From a config to an export: which split, which declaration, which files."""
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict

import pytest
from ten_objects import META, TRAIN_TOKEN, write_infos

from geminifusion3d.errors import UserError
from geminifusion3d.results.export import (check_declaration, plan_export, read_predictions,
                                           write_submission)
from geminifusion3d.results.submission import Submission


@pytest.fixture
def config(tmp_path: Path, tiny_root: Path) -> str:
    """A config whose dataset has info files of mini_train and mini_val."""
    write_infos(tmp_path / 'nuscenes_infos_mini_val.pkl')
    write_infos(tmp_path / 'nuscenes_infos_mini_train.pkl', split='mini_train',
                tokens=[TRAIN_TOKEN])
    path = tmp_path / 'config.py'
    path.write_text(f'modality = {META}\ntest_dataloader = dict(dataset=dict(\n'
                    f'    data_root={str(tiny_root)!r},\n'
                    f'    ann_file={str(tmp_path / "nuscenes_infos_mini_val.pkl")!r}))\n')
    return str(path)


@pytest.mark.parametrize('split, resolved', [
    ('val', 'mini_val'), ('mini_val', 'mini_val'), ('train', 'mini_train'),
    ('mini_train', 'mini_train')])
def test_short_names_mean_the_splits_of_the_configs_version(
        config: str, split: str, resolved: str) -> None:
    plan = plan_export(config=config, split=split)
    assert (plan.infos.split, plan.meta) == (resolved, META)


def test_a_split_that_was_not_converted_is_named(config: str) -> None:
    with pytest.raises(UserError, match="'test' has no info file .*nuscenes_infos_test.pkl"):
        plan_export(config=config, split='test')


def test_a_config_without_all_flags_is_refused(config: str) -> None:
    text = Path(config).read_text()
    Path(config).write_text(text.replace("'use_map': False, ", ''))
    with pytest.raises(UserError, match='expected a dict of the five flags'):
        plan_export(config=config, split='val')


def test_a_model_that_reads_other_sensors_than_declared_is_refused() -> None:
    camera_only = SimpleNamespace(modalities={'use_camera': True, 'use_lidar': False})
    with pytest.raises(UserError, match='the model reads .*use_lidar.: False'):
        check_declaration(META, camera_only)
    check_declaration({**META, 'use_lidar': False}, camera_only)


def test_predictions_of_another_declaration_or_split_are_refused(
        config: str, tmp_path: Path, perfect: Dict[str, Any]) -> None:
    path = tmp_path / 'predictions.json'
    Submission(**perfect).to_json(path)
    assert read_predictions(plan_export(config=config, split='val'), path).meta == META
    with pytest.raises(UserError, match='results for 2 samples, expected the 1 of the split'):
        read_predictions(plan_export(config=config, split='train'), path)
    Submission(meta={**META, 'use_external': True}, results=perfect['results']).to_json(path)
    with pytest.raises(UserError, match="declares .*'use_external': True}, the config"):
        read_predictions(plan_export(config=config, split='val'), path)


def test_both_files_are_written_and_nothing_else(tmp_path: Path, perfect: Dict[str, Any]) -> None:
    paths = write_submission(Submission(**perfect), tmp_path / 'out')
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
        'results_nusc.json', 'results_nusc.zip']
    assert json.loads(paths['json'].read_text()) == perfect
