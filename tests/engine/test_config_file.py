"""Mistakes in a config or on the command line end in one sentence that names the way out."""
from pathlib import Path

import pytest
from mmengine.config import Config
from toy_training import write_config

from geminifusion3d.engine import config_file
from geminifusion3d.engine.config_file import (apply_seed, check_classes, check_data_files, check_first_stage,
                                               check_pasted_objects, check_ranges, check_sections,
                                               load_config)
from geminifusion3d.errors import UserError
from geminifusion3d.info_file import write_info_file
from geminifusion3d.nuscenes_facts import CLASS_NAMES


def test_an_absent_config_is_named_with_close_ones(tmp_path: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'configs/demo').mkdir(parents=True)
    (tmp_path / 'configs/demo/fusion_tiny.py').write_text('')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r'did you mean configs/demo/fusion_tiny.py\?'):
        load_config('configs/fusion_tinny.py')
    with pytest.raises(UserError, match='as those under configs/$'):
        load_config('configs/zzz.py')


def test_a_recipe_of_this_package_is_named_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                         ) -> None:
    monkeypatch.chdir(tmp_path)
    demo = 'geminifusion3d::demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py'
    Path('own.py').write_text(f'_base_ = {demo!r}\n')
    assert load_config(demo).model == load_config('own.py').model
    assert load_config('own.py', {'max_epochs': 5}).train_cfg.max_epochs == 5
    Path('late.py').write_text(f'_base_ = {demo!r}\nmax_epochs = 3\n')
    with pytest.raises(UserError, match='late.py sets max_epochs = 3, which nothing reads'):
        load_config('late.py')
    Path('foreign.py').write_text("_base_ = 'nobody::demo/tiny.py'\n")
    with pytest.raises(UserError, match='foreign.py cannot be read: .*nobody config'):
        load_config('foreign.py')
    with pytest.raises(UserError, match=f'did you mean {demo}'):
        load_config(demo.replace('tiny', 'tini'))
    with pytest.raises(UserError, match='a recipe of this package, such as geminifusion3d::demo/'):
        load_config('zzz.py')


@pytest.mark.parametrize('text', ['a = (', 'a = undefined', "_base_ = ['nowhere.py']",
                                  "custom_imports = dict(imports=['no_such_module'])"])
def test_a_faulty_config_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / 'faulty.py'
    path.write_text(text)
    with pytest.raises(UserError, match='faulty.py cannot be read'):
        load_config(str(path))


def test_overrides_replace_existing_values(tmp_path: Path) -> None:
    cfg = load_config(str(write_config(tmp_path)), {
        'optim_wrapper.optimizer.lr': 0.5, 'param_scheduler.0.T_max': 9, 'load_from': 'a.pth',
        'randomness.diff_rank_seed': True, 'model.poison_at': 3})
    assert cfg.optim_wrapper.optimizer.lr == 0.5
    assert cfg.param_scheduler[0].T_max == 9
    assert cfg.model.poison_at == 3


@pytest.mark.parametrize('key, message', [
    ('optim_wraper.optimizer.lr',
     "the config has no key 'optim_wraper', expected one of optim_wrap"),
    ('optim_wrapper.optimizer.lrr',
     "optim_wrapper.optimizer has no key 'lrr', expected one of lr"),
    ('model.widht', "model has no key 'widht', expected one of width"),
    ('param_scheduler.3.T_max', "param_scheduler has no key '3', expected one of 0"),
    ('log_level_of', "the config has no key 'log_level_of'"),
    ('model.width.x', "model.width has no key 'x', it holds a plain value")])
def test_a_mistyped_override_is_named_with_close_keys(tmp_path: Path, key: str,
                                                      message: str) -> None:
    with pytest.raises(UserError) as refusal:
        load_config(str(write_config(tmp_path)), {key: 1})
    assert message in str(refusal.value)


@pytest.mark.parametrize('split, version, more', [
    ('mini_train', 'v1.0-mini', ''), ('test', 'v1.0-test', ''), ('val', 'v1.0-trainval', ''),
    ('trainval', 'v1.0-trainval', ' --split trainval')])
def test_an_absent_info_file_names_the_command_that_writes_it(
        tmp_path: Path, split: str, version: str, more: str) -> None:
    cfg = Config({'train_dataloader': {'dataset': {'type': 'CBGSDataset', 'dataset': {
        'data_root': str(tmp_path), 'ann_file': f'geminifusion3d_infos_{split}.pkl'}}}})
    with pytest.raises(UserError) as refusal:
        check_data_files(cfg, ['train_dataloader', 'val_dataloader'])
    assert str(refusal.value) == (
        f'info file {tmp_path}/geminifusion3d_infos_{split}.pkl does not exist: write it with '
        f'gemini3d convert --dataroot {tmp_path} --version {version}{more}')
    (tmp_path / f'geminifusion3d_infos_{split}.pkl').touch()
    check_data_files(cfg, ['train_dataloader', 'val_dataloader'])


def test_an_absent_info_file_of_kitti_names_the_command_that_writes_it(tmp_path: Path) -> None:
    cfg = Config({'train_dataloader': {'dataset': {
        'data_root': str(tmp_path), 'ann_file': 'geminifusion3d_kitti_train.pkl'}}})
    with pytest.raises(UserError, match=f'write it with gemini3d convert-kitti --dataroot {tmp_path}$'):
        check_data_files(cfg, ['train_dataloader'])


@pytest.mark.parametrize('held, scored, is_leak', [
    ('train', 'val', False), ('val', 'val', True), ('trainval', 'val', True),
    ('mini_train', 'mini_val', False)])
def test_objects_of_the_scored_split_are_not_pasted_into_training_samples(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: str, scored: str, is_leak: bool) -> None:
    info = tmp_path / f'geminifusion3d_infos_{scored}.pkl'
    with open(info, 'wb') as file:
        write_info_file(file, dict(categories={'car': 0}, dataset='nuscenes', version='v', split=scored), [])
    monkeypatch.setattr(config_file, 'read_metainfo', lambda folder: dict(split=held))
    paste = dict(type='GeminiSampleObjects', database=str(tmp_path))
    cfg = Config(dict(
        train_dataloader=dict(dataset=dict(pipeline=[paste])),
        val_dataloader=dict(dataset=dict(data_root=str(tmp_path), ann_file=info.name))))
    if is_leak:
        with pytest.raises(UserError, match=f'objects of {held}, and validation scores {scored}'):
            check_pasted_objects(cfg)
    else:
        check_pasted_objects(cfg)


def test_a_part_of_a_recipe_is_no_recipe(tmp_path: Path) -> None:
    path = tmp_path / 'grid.py'
    path.write_text('cells = 3')
    with pytest.raises(UserError, match='has no model, train_cfg'):
        check_sections(load_config(str(path)), ['model', 'train_cfg'])


def test_the_seed_reaches_the_datasets(tmp_path: Path) -> None:
    cfg = load_config(str(write_config(tmp_path)))
    apply_seed(cfg, 7)
    assert cfg.randomness == {'seed': 7, 'deterministic': True}
    assert cfg.train_dataloader.dataset.seed == cfg.val_dataloader.dataset.seed == 7


VARIABLES = """
length = 8
loader = dict(batch_size=2, sizes=[length, 3])
train_dataloader = dict(batch_size=loader['batch_size'], num_workers=0,
                        dataset=dict(type='ToyDataset', length=length, poison=loader['sizes']))
unused = 3
"""


def inherit(tmp_path: Path) -> str:
    """Writes a config of two files, the second of which uses a variable of the first; returns its path."""
    (tmp_path / 'parts').mkdir()
    (tmp_path / 'parts/base.py').write_text(VARIABLES)
    path = tmp_path / 'recipe.py'
    path.write_text("_base_ = ['./parts/base.py']\nval_dataloader = dict(batch_size=_base_.length)\n")
    return str(path)


def test_a_variable_acts_where_the_files_use_it(tmp_path: Path) -> None:
    cfg = load_config(inherit(tmp_path), {'length': 5, 'train_dataloader.num_workers': 1})
    assert (cfg.length, cfg.train_dataloader.dataset.length, cfg.val_dataloader.batch_size) == (5, 5, 5)
    assert cfg.train_dataloader.dataset.poison == [5, 3] and cfg.train_dataloader.num_workers == 1
    assert cfg.filename == str(tmp_path / 'recipe.py')
    cfg = load_config(str(tmp_path / 'recipe.py'), {'loader.batch_size': 4, 'loader.sizes.1': 7})
    assert (cfg.train_dataloader.batch_size, cfg.train_dataloader.dataset.poison) == (4, [8, 7])


def test_a_variable_that_nothing_uses_is_refused_and_the_same_value_is_not(tmp_path: Path) -> None:
    path = inherit(tmp_path)
    with pytest.raises(UserError, match='unused=4 would change nothing that is read.*; leave it out'):
        load_config(path, {'unused': 4})
    assert load_config(path, {'unused': 3}).unused == 3


def test_a_variable_of_a_dumped_config_is_refused_with_the_keys_that_act(tmp_path: Path) -> None:
    dumped = tmp_path / 'dumped.py'
    load_config(inherit(tmp_path)).dump(dumped)
    with pytest.raises(UserError, match='keys of sections, such as train_dataloader.dataset.length'):
        load_config(str(dumped), {'length': 5})


DEMO = str(Path(__file__).parents[2] / 'configs/demo/geminifusion3d_tiny_lidar_synthetic-mini.py')


def test_the_variables_of_the_recipes_act() -> None:
    cfg = load_config(DEMO, {'data_root': '/elsewhere', 'max_epochs': 1, 'sweeps_num': 0})
    roots = [cfg[name].data_root for name in ('val_evaluator', 'test_evaluator')]
    roots += [cfg[f'{name}_dataloader'].dataset.data_root for name in ('train', 'val', 'test')]
    assert set(roots) == {'/elsewhere'}
    assert cfg.train_cfg.max_epochs == cfg.param_scheduler[0].total_steps == 1
    assert cfg.train_dataloader.dataset.pipeline[0].sweeps_num == 0
    cfg = load_config(DEMO, {'lr': 0.5})
    assert cfg.optim_wrapper.optimizer.lr == cfg.param_scheduler[0].eta_max == 0.5
    # The recipe has no cameras.
    with pytest.raises(UserError, match='load_images.reduce=1 would change nothing'):
        load_config(DEMO, {'load_images.reduce': 1})


def test_the_sensors_that_a_recipe_declares_are_those_of_its_metrics_too() -> None:
    cfg = load_config(DEMO, {'modality.use_radar': True})
    assert cfg.modality.use_radar and cfg.val_evaluator.meta.use_radar and cfg.test_evaluator.meta.use_radar


def test_a_file_that_raises_anything_is_named(tmp_path: Path) -> None:
    (tmp_path / 'own.py').write_text('steps = [1]\nmodel = dict(type="A", first=steps[0])\n')
    with pytest.raises(UserError, match='steps=.* cannot be read with it: IndexError'):
        load_config(str(tmp_path / 'own.py'), {'steps': []})
    (tmp_path / 'own.py').write_text('half = 1 / 0\n')
    with pytest.raises(UserError, match='cannot be read: ZeroDivisionError'):
        load_config(str(tmp_path / 'own.py'))


def test_a_filter_of_another_range_than_the_grid_is_refused() -> None:
    wider = [-60.0, -50.0, -3.0, 60.0, 50.0, 3.0]
    check_ranges(load_config(DEMO))
    check_ranges(load_config(DEMO, {'bev_grid.range_m': wider}))
    cfg = load_config(DEMO, {'train_dataloader.dataset.pipeline.4.point_cloud_range': wider})
    with pytest.raises(UserError, match=r'ObjectRangeFilter of train_dataloader keeps \[-60.*covers \[-50'):
        check_ranges(cfg)


@pytest.mark.parametrize('recipe', [path for path in sorted(Path(DEMO).parents[1].rglob('*.py'))
                                    if '_base_' not in path.parts], ids=lambda path: path.stem)
def test_every_recipe_filters_to_its_grid_and_has_one_list_of_classes(recipe: Path) -> None:
    cfg = Config.fromfile(recipe)
    check_ranges(cfg)
    check_classes(cfg)


@pytest.mark.parametrize('joined', [False, True])
def test_a_dataset_of_other_classes_than_the_head_is_refused(joined: bool) -> None:
    cfg = load_config(DEMO)
    own, other = cfg.train_dataloader.dataset, dict(cfg.train_dataloader.dataset)
    other['metainfo'] = dict(classes=['car', 'tram'])
    cfg.train_dataloader.dataset = dict(type='ConcatDataset', datasets=[own, other]) if joined else other
    with pytest.raises(UserError, match='Dataset of train_dataloader has the classes car, tram, '
                                        'model.bbox_head has car, truck, construction_vehicle'):
        check_classes(cfg)


def test_the_order_of_classes_counts() -> None:
    cfg = load_config(DEMO)
    names = list(cfg.model.bbox_head.get('classes') or CLASS_NAMES)
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[loader].dataset.metainfo = dict(classes=names)
    check_classes(cfg)
    cfg.test_dataloader.dataset.metainfo = dict(classes=names[::-1])
    with pytest.raises(UserError, match='of test_dataloader has the classes traffic_cone, pedestrian'):
        check_classes(cfg)


def test_an_absent_first_stage_names_its_recipe(tmp_path: Path) -> None:
    (tmp_path / 'lidar_stage.py').write_text('')
    path = tmp_path / 'fused.py'
    path.write_text("load_from = 'work_dirs/lidar_stage/epoch_20.pth'\n")
    with pytest.raises(UserError, match='do not exist: train .*lidar_stage.py first.*load_from=None'):
        check_first_stage(load_config(str(path)))
    check_first_stage(load_config(str(path), {'load_from': None}))
    with pytest.raises(UserError, match='x.pth, do not exist: name other weights'):
        check_first_stage(load_config(str(path), {'load_from': str(tmp_path / 'x.pth')}))
