"""From a path and the command line to a checked config; mistakes are named in one sentence."""
import difflib
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional

from mmengine.config import Config

from ..errors import UserError
from ..info_file import existing_info_file
from .registered import accepts_argument

# What the Runner reads although no config need mention it.
RUNNER_KEYS = ('activation_checkpointing', 'auto_scale_lr', 'compile', 'custom_hooks',
               'experiment_name', 'find_unused_parameters', 'frozen_modules', 'launcher',
               'load_cfg', 'load_from', 'log_level', 'log_processor', 'model_wrapper_cfg',
               'param_scheduler', 'randomness', 'resume', 'sync_bn', 'visualizer', 'work_dir')
# Dictionaries whose optional arguments a config rarely spells out.
OPEN_DICTS = ('randomness', 'model_wrapper_cfg', 'auto_scale_lr', 'env_cfg', 'test_cfg',
              'train_cfg', 'init_cfg', 'clip_grad', 'load_cfg')
CLOSE = 0.5
FAULTS = (SyntaxError, KeyError, NameError, AttributeError, TypeError, ValueError, OSError,
          ImportError)


def load_config(path: str, overrides: Optional[Mapping[str, Any]] = None) -> Config:
    """Reads a config and applies `--cfg-options`.

    Args:
        path: the config file.
        overrides: dotted keys and their new values.

    Raises:
        UserError: if the file is absent or faulty, or an override names a key that does not exist.
    """
    if not Path(path).is_file():
        raise UserError(f'config {path} does not exist{_close_configs(path)}')
    try:
        cfg = Config.fromfile(path)
    except FAULTS as error:
        reason = ' '.join(str(error).split())
        raise UserError(f'config {path} cannot be read: {type(error).__name__}: {reason}'
                        ) from error
    overrides = dict(overrides or {})
    for key in overrides:
        check_override(cfg, key)
    try:
        cfg.merge_from_dict(overrides)
    except (KeyError, TypeError, IndexError, AssertionError) as error:
        raise UserError(f'--cfg-options {" ".join(overrides)} cannot be applied to {path}: {error}'
                        ) from error
    return cfg


def _close_configs(path: str) -> str:
    """Suggests configs with a similar name."""
    known = {config.stem: str(config) for config in sorted(Path('configs').rglob('*.py'))
             if '_base_' not in config.parts}
    close = difflib.get_close_matches(Path(path).stem, known, cutoff=CLOSE)
    if close:
        return ': did you mean ' + ' or '.join(known[stem] for stem in close) + '?'
    return ': pass the path of a config, as those under configs/'


def check_override(cfg: Config, dotted: str) -> None:
    """Makes sure that an override names a key which the config has.

    Args:
        cfg: the config.
        dotted: a key such as 'optim_wrapper.optimizer.lr' or 'custom_hooks.0.type'.

    Raises:
        UserError: if a part of the key does not exist; the message lists close ones.
    """
    node: Any = cfg
    passed: List[str] = []
    for part in dotted.split('.'):
        if not passed and part in RUNNER_KEYS and part not in cfg:
            return
        if isinstance(node, (list, tuple)) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, Mapping) or isinstance(node, Config):
            if part not in node:
                if passed and passed[-1] in OPEN_DICTS or accepts_argument(node.get('type'), part):
                    return
                raise UserError(_unknown_key(dotted, part, passed, list(node.keys())))
            node = node[part]
        else:
            known = [str(i) for i in range(len(node))] if isinstance(node, (list, tuple)) else []
            raise UserError(_unknown_key(dotted, part, passed, known))
        passed.append(part)


def _unknown_key(dotted: str, part: str, passed: List[str], known: List[str]) -> str:
    """Says that an override's key does not exist, and which ones do."""
    close = difflib.get_close_matches(part, known, cutoff=CLOSE) or sorted(known)
    told = f'expected one of {", ".join(close)}' if close else 'it holds a plain value'
    where = '.'.join(passed) or 'the config'
    return f'--cfg-options {dotted}: {where} has no key {part!r}, {told}'


def datasets_of(cfg: Config, loaders: List[str]) -> Iterator[Dict[str, Any]]:
    """Yields the dataset dictionaries of data loaders, wrapped ones included."""
    for loader in loaders:
        dataset = (cfg.get(loader) or {}).get('dataset')
        while isinstance(dataset, dict):
            yield dataset
            dataset = dataset.get('dataset')


def check_data_files(cfg: Config, loaders: List[str]) -> None:
    """Makes sure that what data loaders read beside sensor files exists.

    Args:
        cfg: the config.
        loaders: names such as 'train_dataloader'; absent ones are skipped.

    Raises:
        UserError: if an info file or a ground-truth database is absent; the message holds the
            command that writes it.
    """
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


def _create_data(root: Path, info_file: Path) -> str:
    """Returns the command that writes an info file."""
    version = 'v1.0-mini' if '_mini_' in info_file.stem else (
        'v1.0-test' if info_file.stem.endswith('test') else 'v1.0-trainval')
    union = ' --splits trainval' if info_file.stem.endswith('_trainval') else ''
    return (f'python tools/create_data.py nuscenes --root-path {root} --version {version} '
            f'--out-dir {info_file.parent}{union}')


def check_sections(cfg: Config, sections: List[str]) -> None:
    """Makes sure that a config is a recipe for what shall be done.

    Raises:
        UserError: if one of the sections is absent.
    """
    missing = [section for section in sections if cfg.get(section) is None]
    if missing:
        raise UserError(f'config {cfg.filename} has no {", ".join(missing)}: pass a whole recipe '
                        f'(files under _base_ are parts of recipes)')


def apply_seed(cfg: Config, seed: int) -> None:
    """Sets the seed of the runner and of every dataset that draws from its own generator."""
    cfg.randomness = {'deterministic': True, **cfg.get('randomness', {}), 'seed': seed}
    for dataset in datasets_of(cfg, ['train_dataloader', 'val_dataloader', 'test_dataloader']):
        if accepts_argument(dataset.get('type'), 'seed'):
            dataset['seed'] = seed
