"""Opens the dataset with the devkit, lists the samples of a split and chooses some to show."""
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence

from nuscenes import NuScenes
from nuscenes.utils.splits import create_splits_scenes

from geminifusion3d.errors import UserError
from .metric_files import read_json


def open_dataset(dataroot: Path, version: str) -> NuScenes:
    """Opens the tables with the unmodified devkit.

    Raises:
        UserError: if the folder of the version is not there or its tables are broken.
    """
    tables = dataroot / version
    if not tables.is_dir():
        found = sorted(p.name for p in dataroot.glob('v1.0-*')) if dataroot.is_dir() else []
        raise UserError(f'no tables in {tables}; found versions {found or "none"} in {dataroot}: '
                        f'check --dataroot and --version')
    try:
        return NuScenes(version=version, dataroot=str(dataroot), verbose=False)
    except (OSError, KeyError, AssertionError, ValueError) as error:
        raise UserError(f'the devkit cannot open {tables} ({type(error).__name__}: {error}); '
                        f'download or generate the dataset again') from error


def split_tokens(nusc: NuScenes, split: str) -> Dict[str, List[str]]:
    """Returns {scene name: its sample tokens in time order} of the scenes of `split` that exist.

    Raises:
        UserError: if the split is unknown or has no scene here.
    """
    splits = dict(create_splits_scenes())
    custom = Path(nusc.dataroot) / nusc.version / 'splits.json'
    if custom.is_file():
        splits.update(read_json(custom))
    if split not in splits:
        raise UserError(f'unknown split {split!r}; expected one of {", ".join(sorted(splits))}')
    names = set(splits[split])
    tokens = {scene['name']: scene_tokens(nusc, scene)
              for scene in nusc.scene if scene['name'] in names}
    if not tokens:
        raise UserError(f'version {nusc.version} holds no scene of split {split!r}; '
                        f'check --version and --split')
    return dict(sorted(tokens.items()))


def scene_tokens(nusc: NuScenes, scene: Mapping[str, Any]) -> List[str]:
    """Follows a scene's samples from the first to the last."""
    tokens, token = [], scene['first_sample_token']
    while token:
        tokens.append(token)
        token = nusc.get('sample', token)['next']
    return tokens


def choose_tokens(tokens_of_scene: Mapping[str, Sequence[str]], count: int) -> List[str]:
    """Chooses `count` samples spread over the scenes and, within a scene, over its time.

    The scenes are taken in turn; a scene that gives k samples gives the middles of its k equal
    parts. Shorter scenes give what they have.
    """
    quota = {name: 0 for name in tokens_of_scene}
    left = min(count, sum(len(tokens) for tokens in tokens_of_scene.values()))
    while left > 0:
        for name, tokens in tokens_of_scene.items():
            if left > 0 and quota[name] < len(tokens):
                quota[name] += 1
                left -= 1
    return [tokens_of_scene[name][(2 * i + 1) * len(tokens_of_scene[name]) // (2 * k)]
            for name, k in quota.items() for i in range(k)]


def sample_names(nusc: NuScenes, tokens_of_scene: Mapping[str, Sequence[str]]) -> Dict[str, str]:
    """Returns scene and second of every sample, such as 'scene-0103, 3.5 s'."""
    names = {}
    for scene, tokens in tokens_of_scene.items():
        times_us = [nusc.get('sample', token)['timestamp'] for token in tokens]
        names.update({token: f'{scene}, {(time_us - times_us[0]) / 1e6:.1f} s'
                      for token, time_us in zip(tokens, times_us)})
    return names
