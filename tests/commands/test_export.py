"""From a config to an export: which split, which declaration, which files."""
import json
import zipfile
from pathlib import Path
from typing import Any, Dict

import pytest
from ten_objects import META, TRAIN_TOKEN, VAL_TOKENS, VERSION, write_infos

from geminifusion3d.commands.export import file_names, pack, plan_export, take_predictions
from geminifusion3d.errors import UserError
from geminifusion3d.submission.submission import write_submission


@pytest.fixture
def config(tmp_path: Path, tiny_root: Path) -> str:
    """A config whose dataset has info files of mini_train and mini_val."""
    write_infos(tmp_path / 'geminifusion3d_infos_mini_val.pkl')
    write_infos(tmp_path / 'geminifusion3d_infos_mini_train.pkl', split='mini_train',
                tokens=[TRAIN_TOKEN])
    path = tmp_path / 'config.py'
    path.write_text(f'modality = {META}\ntest_dataloader = dict(dataset=dict(\n'
                    f'    data_root={str(tiny_root)!r},\n'
                    f'    ann_file={str(tmp_path / "geminifusion3d_infos_mini_val.pkl")!r}))\n')
    return str(path)


@pytest.mark.parametrize('split, resolved', [
    ('val', 'mini_val'), ('mini_val', 'mini_val'), ('train', 'mini_train'),
    ('mini_train', 'mini_train')])
def test_short_names_mean_the_splits_of_the_configs_version(
        config: str, split: str, resolved: str) -> None:
    plan = plan_export(config=config, split=split)
    assert (plan.infos.split, plan.meta) == (resolved, META)


def test_a_split_that_was_not_converted_is_named(config: str) -> None:
    with pytest.raises(UserError, match="'test' has no info file .*geminifusion3d_infos_test.pkl"):
        plan_export(config=config, split='test')


def test_a_config_without_all_flags_is_refused(config: str) -> None:
    text = Path(config).read_text()
    Path(config).write_text(text.replace("'use_map': False, ", ''))
    with pytest.raises(UserError, match='expected a dict of the five flags'):
        plan_export(config=config, split='val')


def written(path: Path, meta: Dict[str, bool], content: Dict[str, Any]) -> Path:
    """Writes the results of a submission under other flags."""
    write_submission(path, meta=meta, samples=content['results'].items())
    return path


def test_predictions_of_another_declaration_or_split_are_refused(
        config: str, tmp_path: Path, perfect: Dict[str, Any]) -> None:
    path, out = written(tmp_path / 'predictions.json', META, perfect), tmp_path / 'out.json'
    with pytest.raises(UserError, match='results for 2 samples, expected the 1 of the split'):
        take_predictions(plan_export(config=config, split='train'), path, out)
    written(path, {**META, 'use_external': True}, perfect)
    with pytest.raises(UserError, match="declares .*'use_external': True}, the config"):
        take_predictions(plan_export(config=config, split='val'), path, out)
    assert not out.exists()
    written(path, META, perfect)
    assert take_predictions(plan_export(config=config, split='val'), path, out) == META
    assert out.read_bytes() == path.read_bytes()


def test_predictions_may_be_exported_onto_themselves(
        config: str, tmp_path: Path, perfect: Dict[str, Any]) -> None:
    path = written(tmp_path / 'predictions.json', META, perfect)
    before = path.read_bytes()
    take_predictions(plan_export(config=config, split='val'), path, path)
    assert path.read_bytes() == before


def test_both_files_are_written_and_nothing_else(tmp_path: Path, perfect: Dict[str, Any]) -> None:
    written(tmp_path / 'out' / 'results_nusc.json', META, perfect)
    paths = pack(tmp_path / 'out')
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
        'results_nusc.json', 'results_nusc.zip']
    assert json.loads(paths['json'].read_text()) == perfect


def test_names_of_the_files_can_be_chosen(tmp_path: Path, perfect: Dict[str, Any]) -> None:
    written(tmp_path / 'team.json', META, perfect)
    paths = pack(tmp_path, json_name='team.json', zip_name='year.zip')
    assert [path.name for path in paths.values()] == ['team.json', 'year.zip']
    assert zipfile.ZipFile(paths['zip']).namelist() == ['team.json']
    assert file_names('team.json', None) == {'json': 'team.json', 'zip': 'team.zip'}


@pytest.mark.parametrize('json_name, zip_name', [
    ('results', None), ('a/results.json', None), ('../results.json', None), ('provenance.json', None),
    ('results.zip', None), ('results.json', 'results'), ('results.json', 'elsewhere/../results.zip')])
def test_names_that_are_no_names_of_such_files_are_refused(json_name: str, zip_name: str) -> None:
    with pytest.raises(UserError, match='expected a file name that ends with'):
        file_names(json_name, zip_name)


def test_what_the_user_says_about_external_data_is_declared(
        config: str, tmp_path: Path, perfect: Dict[str, Any]) -> None:
    plan = plan_export(config=config, split='val', external_data='maps of my own')
    assert plan.meta == {**META, 'use_external': True}
    assert plan.facts['external_data'] == {'used': True, 'reason': 'maps of my own'}
    path = written(tmp_path / 'predictions.json', META, perfect)
    assert take_predictions(plan, path, tmp_path / 'out.json') == plan.meta
    assert json.loads((tmp_path / 'out.json').read_text()) == {**perfect, 'meta': plan.meta}


def test_a_config_that_starts_from_foreign_boxes_must_say_so(config: str) -> None:
    with open(config, 'a') as file:
        file.write("load_from = 'mask_rcnn_coco.pth'\n")
    with pytest.raises(UserError, match='add --external-data'):
        plan_export(config=config, split='val')
    assert plan_export(config=config, split='val', external_data='COCO').meta['use_external']


def test_an_ensemble_may_have_used_more_than_the_config_and_not_less(
        config: str, tmp_path: Path, perfect: Dict[str, Any]) -> None:
    plan, path = plan_export(config=config, split='val'), tmp_path / 'predictions.json'
    more, less = {**META, 'use_radar': True}, {**META, 'use_radar': True, 'use_camera': False}
    out = tmp_path / 'out.json'
    written(path, more, perfect)
    assert take_predictions(plan, path, out, is_ensemble=True) == more
    with pytest.raises(UserError, match='give the config that the predictions were made with'):
        take_predictions(plan, path, out)
    written(path, less, perfect)
    with pytest.raises(UserError, match='give the config that the predictions were made with'):
        take_predictions(plan, path, out, is_ensemble=True)


def test_the_plan_knows_config_data_and_samples(config: str) -> None:
    plan = plan_export(config=config, split='val')
    assert (plan.facts['version'], plan.facts['split']) == (VERSION, 'mini_val')
    assert set(plan.samples.ego_xy_global_m) == set(VAL_TOKENS)
    assert plan.facts['config']['path'] == config and plan.facts['past_lidar_sweeps'] is None
