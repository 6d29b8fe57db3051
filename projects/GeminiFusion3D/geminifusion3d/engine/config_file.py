"""From a path and the command line to a checked config; mistakes are named in one sentence."""
import difflib
import inspect
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from mmdet3d.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.registry import Registry, init_default_scope
from mmengine.runner import Runner
from torch import nn

from .. import register
from ..checkpoints.checkpoint_fit import plain_config
from ..errors import UserError
from ..info_file import KITTI_PREFIX, existing_info_file, open_info_file
from ..learned_samples import LEARNED, Overlap, SampleRecord
from ..sensors.object_database import read_metainfo
from .config_variables import RECIPES, SHIPPED, check_unread_names, evaluate_with, places_of
from .mistakes import accepts_argument, config_mistakes

# What the Runner reads although no config need mention it.
RUNNER_KEYS = ('activation_checkpointing', 'auto_scale_lr', 'compile', 'custom_hooks',
               'experiment_name', 'find_unused_parameters', 'frozen_modules', 'launcher',
               'load_cfg', 'load_from', 'log_level', 'log_processor', 'model_wrapper_cfg',
               'param_scheduler', 'randomness', 'resume', 'sync_bn', 'visualizer', 'work_dir')
# What commands, this project's or mmdet3d's, read beside the Runner.
COMMAND_KEYS = ('custom_imports', 'external_data', 'modality', 'runner_type')
# Of these, what recipes copy into sections too.
READ_AND_COPIED = ('modality', )
# Dictionaries whose optional arguments a config rarely spells out.
OPEN_DICTS = ('randomness', 'model_wrapper_cfg', 'auto_scale_lr', 'env_cfg', 'test_cfg',
              'train_cfg', 'init_cfg', 'clip_grad', 'load_cfg')
CLOSE = 0.5
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
# Splits that hold others.
SPLITS_IN = {'trainval': ('trainval', 'train', 'val')}


def load_config(path: str, overrides: Optional[Mapping[str, Any]] = None) -> Config:
    """Reads a config and applies `--cfg-options`.

    Args:
        path: the config file, or a recipe of this package: geminifusion3d::demo/NAME.py.
        overrides: dotted keys and their new values.

    Raises:
        UserError: if the file is absent or faulty, or an override names a key that does not exist.
    """
    if path.startswith(SHIPPED):
        path = str(RECIPES / path[len(SHIPPED):])
    if not Path(path).is_file():
        raise UserError(f'config {path} does not exist{_close_configs(path)}')
    register()
    try:
        cfg = _without_scope(Config.fromfile(path))
    # A config is a program: it may raise anything.
    except Exception as error:
        reason = ' '.join(str(error).split())
        raise UserError(f'config {path} cannot be read: {type(error).__name__}: {reason}') from error
    check_unread_names(Path(path), cfg, _sections(cfg), sorted(_section_names()))
    overrides = dict(overrides or {})
    for key in overrides:
        check_override(cfg, key)
    variables = {key: value for key, value in overrides.items() if is_variable(key)}
    cfg = _set_variables(cfg, variables)
    try:
        cfg.merge_from_dict({key: value for key, value in overrides.items() if key not in variables})
    except (KeyError, TypeError, IndexError, AssertionError) as error:
        raise UserError(f'--cfg-options {" ".join(overrides)} cannot be applied to {path}: {error}'
                        ) from error
    return cfg


def is_read(dotted: str) -> bool:
    """Says whether a key belongs to a section that the Runner or a command reads.

    Other names at the top of a config are variables: the file has copied them into sections by the time
    that it is read.

    Args:
        dotted: a key such as 'train_cfg.max_epochs'.
    """
    return dotted.split('.')[0] in _section_names()


def is_variable(dotted: str) -> bool:
    """Says whether the files of a config are to be evaluated anew with another value of a key.

    Args:
        dotted: a key.
    """
    return not is_read(dotted) or dotted.split('.')[0] in READ_AND_COPIED


def _section_names() -> Set[str]:
    return {*RUNNER_KEYS, *COMMAND_KEYS, *inspect.signature(Runner.__init__).parameters}


def _set_variables(cfg: Config, variables: Mapping[str, Any]) -> Config:
    """Evaluates the config's files anew with other variables, one after the other.

    Raises:
        UserError: if a new value would change nothing that is read.
    """
    given: Dict[str, Any] = {}
    for key, value in variables.items():
        before = check_override(cfg, key)
        if before == value:
            continue
        given[key] = value
        try:
            changed = evaluate_with(Path(cfg.filename), given)
        except Exception as error:
            raise UserError(f'--cfg-options {key}={value}: {cfg.filename} cannot be read with it: '
                            f'{type(error).__name__}: {" ".join(str(error).split())}') from error
        if changed is None or _sections(changed) == _sections(cfg):
            namesakes = places_of(_sections(cfg), key.split('.')[-1])
            places = [place for place, held in namesakes if held == before]
            remedy = f'expected keys of sections, such as {", ".join(places)}' if places else 'leave it out'
            raise UserError(f'--cfg-options {key}={value} would change nothing that is read: {cfg.filename} '
                            f'does not use it; {remedy}')
        cfg = changed
    return cfg


def _sections(cfg: Config) -> Dict[str, Any]:
    return {key: value for key, value in cfg.to_dict().items() if is_read(key)}


def _without_scope(node: Any) -> Any:
    """Removes what mmengine notes at `geminifusion3d::`: the types are in mmdet3d's registries."""
    if isinstance(node, dict) and node.get('_scope_') == SHIPPED[:-2]:
        node.pop('_scope_')
    for child in node if isinstance(node, list) else getattr(node, 'values', tuple)():
        _without_scope(child)
    return node


def _close_configs(path: str) -> str:
    """Suggests configs with a similar name."""
    here = Path('configs').is_dir()
    known = {config.stem: str(config) if here else f'{SHIPPED}{config.relative_to(RECIPES)}'
             for config in sorted((Path('configs') if here else RECIPES).rglob('*.py'))
             if '_base_' not in config.parts}
    close = difflib.get_close_matches(Path(path).stem, known, cutoff=CLOSE)
    if close:
        return ': did you mean ' + ' or '.join(known[stem] for stem in close) + '?'
    return ': pass the path of a config, as those under configs/' + (
        '' if here else f', or a recipe of this package, such as {SHIPPED}demo/NAME.py')


def check_override(cfg: Config, dotted: str) -> Any:
    """Returns what an override, such as custom_hooks.0.type, replaces; None where that need not be set.

    UserError, with the close ones, if the config has no such key.
    """
    node: Any = cfg
    passed: List[str] = []
    for part in dotted.split('.'):
        if not passed and part in RUNNER_KEYS and part not in cfg:
            return None
        if isinstance(node, (list, tuple)) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, Mapping) or isinstance(node, Config):
            if part not in node:
                if passed and passed[-1] in OPEN_DICTS or accepts_argument(node.get('type'), part):
                    return None
                raise UserError(_unknown_key(dotted, part, passed, list(node.keys())))
            node = node[part]
        else:
            known = [str(i) for i in range(len(node))] if isinstance(node, (list, tuple)) else []
            raise UserError(_unknown_key(dotted, part, passed, known))
        passed.append(part)
    return node


def _unknown_key(dotted: str, part: str, passed: List[str], known: List[str]) -> str:
    """Says that an override's key does not exist, and which ones do."""
    close = difflib.get_close_matches(part, known, cutoff=CLOSE) or sorted(known)
    expected = f'expected one of {", ".join(close)}' if close else 'it holds a plain value'
    where = '.'.join(passed) or 'the config'
    return f'--cfg-options {dotted}: {where} has no key {part!r}, {expected}'


def datasets_of(cfg: Config, loaders: Sequence[str]) -> Iterator[Dict[str, Any]]:
    """Yields the dataset dictionaries of data loaders, wrapped and joined ones included."""
    waiting = [(cfg.get(loader) or {}).get('dataset') for loader in loaders]
    while waiting:
        dataset = waiting.pop(0)
        if isinstance(dataset, dict):
            yield dataset
            waiting = [dataset.get('dataset'), *(dataset.get('datasets') or ()), *waiting]


def steps_of(cfg: Config, loader: str) -> Iterator[Tuple[Dict[str, Any], Dict[str, Any]]]:
    """Yields the steps of a data loader's pipelines, each with its dataset."""
    for dataset in datasets_of(cfg, [loader]):
        for step in dataset.get('pipeline') or ():
            yield dataset, step


def trained_config(cfg: Config) -> Dict[str, Any]:
    """Returns what of a config a checkpoint remembers: the model, and how a test reads samples."""
    steps = {str(step['type']): step for _, step in steps_of(cfg, 'test_dataloader')}
    return {'model': plain_config(cfg.model), 'test_pipeline': plain_config(steps)}


def check_data_files(cfg: Config, loaders: List[str]) -> None:
    """Refuses absent info files and ground-truth databases, with the command that writes them."""
    for dataset in datasets_of(cfg, loaders):
        root, name = Path(dataset.get('data_root') or '.'), dataset.get('ann_file')
        if name and not existing_info_file(root / name).is_file():
            raise UserError(f'info file {root / name} does not exist: write it with '
                            f'{_create_data(root, root / name)}')
        for step in dataset.get('pipeline') or ():
            database = Path(step.get('database', '')) / 'database.json'
            if step.get('type') == 'GeminiSampleObjects' and not database.is_file():
                raise UserError(f'ground-truth database {database.parent} does not exist: write it with '
                                f'{_create_data(root, root / name)} --with-gt-database '
                                f'--database-sweeps {step.get("sweeps_num")}')


def check_pasted_objects(cfg: Config) -> None:
    """Refuses ground-truth databases that were cut from samples which validation scores.

    Of a database that does not list its samples, those of a split that holds the scored one.
    """
    databases = {Path(step['database']) for _, step in steps_of(cfg, 'train_dataloader')
                 if step.get('type') == 'GeminiSampleObjects'}
    evaluated = {Path(dataset.get('data_root') or '.') / dataset['ann_file']
                 for dataset in datasets_of(cfg, ['val_dataloader']) if dataset.get('ann_file')}
    for folder in databases if evaluated else ():
        metainfo = read_metainfo(folder)
        held, pasted = metainfo['split'], SampleRecord.read(metainfo.get(LEARNED), folder.name)
        for path in evaluated:
            records = open_info_file(existing_info_file(path))
            split, names = records.metainfo['split'], [str(record['token']) for record in records]
            scored = Overlap.between(SampleRecord.of(split, names), pasted)
            if scored.learned or pasted.unknown and split in SPLITS_IN.get(held, (held,)):
                which = f'{scored.learned} of the {scored.scored} samples' if scored.learned else 'samples'
                raise UserError(f'ground-truth database {folder} holds objects of {held}, and validation '
                                f'scores {split}: those of {which} would be learned before they are scored; '
                                'build it from the training split, train without val_dataloader, or pass '
                                '--allow-scored-objects')


def check_ranges(cfg: Config) -> None:
    """Refuses points and boxes that are filtered to another range than the model's grid covers.

    What lies between would train nothing, or be lost.
    """
    range_m = list((cfg.get('model') or {}).get('bev_grid', {}).get('range_m') or ())
    for loader in LOADERS if range_m else ():
        for _, step in steps_of(cfg, loader):
            filtered = step.get('point_cloud_range') if isinstance(step, Mapping) else None
            if filtered is not None and list(filtered) != range_m:
                raise UserError(f'{step["type"]} of {loader} keeps {list(filtered)}, the model\'s grid '
                                f'covers {range_m} (metres, lowest corner first); give both one range, '
                                'in the recipes here with --cfg-options bev_grid.range_m=[...]')


def check_classes(cfg: Config, loaders: Sequence[str] = LOADERS) -> None:
    """Refuses a head and datasets that list different classes: labels count them."""
    expected: Any = None
    for place, part, registry in _parts_with_classes(cfg, loaders):
        name = part.get('type')
        kind = registry.get(name) if isinstance(name, str) else name
        classes = part.get('classes') or (part.get('metainfo') or {}).get('classes')
        if classes is None and kind is not None:
            usual = inspect.signature(kind).parameters.get('classes')
            classes = usual.default if usual else getattr(kind, 'METAINFO', {}).get('classes')
        if not isinstance(classes, (list, tuple)):
            continue
        if expected is not None and list(classes) != list(expected[1]):
            raise UserError(f'{place} has the classes {", ".join(classes)}, {expected[0]} has '
                            f'{", ".join(expected[1])}; labels count them, so give both one list: datasets '
                            'with metainfo=dict(classes=[...]), the head with classes=[...]')
        expected = expected or (place, classes)


def _parts_with_classes(cfg: Config, loaders: Sequence[str]
                        ) -> Iterator[Tuple[str, Dict[str, Any], Registry]]:
    yield 'model.bbox_head', (cfg.get('model') or {}).get('bbox_head') or {}, MODELS
    for loader in loaders:
        for dataset in datasets_of(cfg, [loader]):
            yield f'{dataset.get("type")} of {loader}', dataset, DATASETS


def check_first_stage(cfg: Config) -> None:
    """Refuses absent weights to start from, and names the recipe that leaves them."""
    source = str(cfg.get('load_from') or '')
    if not source or '://' in source or Path(source).expanduser().is_file():
        return
    name = f'{Path(source).parent.name}.py'
    folders = Path(cfg.filename).absolute().parents[:2] if cfg.filename else ()
    recipe = next((found for folder in folders for found in sorted(folder.rglob(name))), None)
    first = f'train {recipe} first, which leaves them, ' if recipe else ''
    raise UserError(f'the weights to start from, {source}, do not exist: {first}name other weights with '
                    '--cfg-options load_from=PATH, or start from none with load_from=None')


def _create_data(root: Path, info_file: Path) -> str:
    """Returns the command that writes an info file."""
    version = 'v1.0-mini' if '_mini_' in info_file.stem else (
        'v1.0-test' if info_file.stem.endswith('test') else 'v1.0-trainval')
    union = ' --split trainval' if info_file.stem.endswith('_trainval') else ''
    out = '' if info_file.parent == root else f' --out {info_file.parent}'
    if info_file.stem.startswith(KITTI_PREFIX):
        return f'gemini3d convert-kitti --dataroot {root}{out}'
    return f'gemini3d convert --dataroot {root} --version {version}{out}{union}'


def check_sections(cfg: Config, sections: List[str]) -> None:
    """Refuses a config without the sections that what shall be done needs."""
    missing = [section for section in sections if cfg.get(section) is None]
    if missing:
        raise UserError(f'config {cfg.filename} has no {", ".join(missing)}: pass a whole recipe '
                        f'(files under _base_ are parts of recipes)')


def build_model(cfg: Config, config: str) -> nn.Module:
    """Builds the model of a recipe; UserError if it has none or something in it is wrong."""
    check_sections(cfg, ['model'])
    init_default_scope(cfg.get('default_scope', 'mmdet3d'))
    with config_mistakes(config):
        return MODELS.build(cfg.model)


def apply_seed(cfg: Config, seed: int) -> None:
    """Sets the seed of the runner and of every dataset that draws from its own generator."""
    cfg.randomness = {'deterministic': True, **cfg.get('randomness', {}), 'seed': seed}
    for dataset in datasets_of(cfg, LOADERS):
        if accepts_argument(dataset.get('type'), 'seed'):
            dataset['seed'] = seed
