"""The input pipeline of a recipe, step by step: keyframes per second in one process and one thread.

Keyframes with all sweeps are loaded in turn, for training and for testing, files in the page cache.
"""
import statistics
import time
from argparse import Namespace
from typing import Any, Dict, List, Mapping, Sequence

import torch

from geminifusion3d.cli import plural
from geminifusion3d.errors import UserError

from ...text_table import markdown_table
from ..contest import quartile_spread
from ..rows import Row, seconds

TOTAL, REST = 'whole pipeline', 'record, seeds, copies'
INCLUDES = 'record to packed keyframe'
EXCLUDES = 'collation, the way from a loading worker to the model, normalisation (on the device)'
LOADERS = {'training': 'train_dataloader', 'test': 'test_dataloader'}


class TimedStep:
    """One transform and the seconds of each of its calls.

    Args:
        step: the transform, as a config.
    """

    def __init__(self, step: Mapping[str, Any]) -> None:
        from mmdet3d.registry import TRANSFORMS
        self.name, self.seconds = step['type'], []
        self._transform = TRANSFORMS.build(dict(step))

    def __call__(self, results: Dict[str, Any]) -> Any:
        """Runs the transform on what the step before returned."""
        begin_s = time.perf_counter()
        results = self._transform(results)
        self.seconds.append(time.perf_counter() - begin_s)
        return results


def run(arguments: Namespace) -> List[Row]:
    """Measures loading for training and for testing."""
    import cv2
    from mmengine.registry import init_default_scope

    from geminifusion3d.engine.config_file import load_config
    torch.set_num_threads(arguments.threads or 1)
    # As in loading workers.
    cv2.setNumThreads(0)
    init_default_scope('mmdet3d')
    cfg = load_config(arguments.config)
    return [row for mode, loader in LOADERS.items()
            for row in _measure(mode, _dataset(cfg, loader, arguments), arguments)]


def _dataset(cfg: Mapping[str, Any], loader: str, arguments: Namespace) -> Dict[str, Any]:
    """Returns the innermost dataset of a loader as a config, on the info file of training."""
    found = {}
    for name in LOADERS.values():
        dataset = cfg[name].dataset
        while 'dataset' in dataset:
            dataset = dataset.dataset
        found[name] = dataset.to_dict()
    training = found[LOADERS['training']]
    return {**found[loader], 'ann_file': arguments.ann_file or training['ann_file'],
            'data_root': arguments.dataroot or training['data_root']}


def _measure(mode: str, dataset: Dict[str, Any], arguments: Namespace) -> List[Row]:
    """Returns a row for the pipeline and one for each of its steps."""
    from mmdet3d.registry import DATASETS
    steps = [TimedStep(step) for step in dataset.pop('pipeline')]
    # No keyframe is replaced by another one because its boxes are out of range.
    built = DATASETS.build({**dataset, 'pipeline': steps, 'filter_empty_gt': False})
    chosen = _complete(built, arguments.samples, dataset['ann_file'])
    totals: List[float] = []
    # Every file is read once before the clock counts.
    for turn in range(-max(len(chosen), arguments.warm_up), arguments.repeats):
        begin_s = time.perf_counter()
        built[chosen[turn % len(chosen)]]
        totals.append(time.perf_counter() - begin_s)
    columns = [step.seconds[-arguments.repeats:] for step in steps]
    totals = totals[-arguments.repeats:]
    names = _unique([REST, *(step.name for step in steps)])
    columns = [[total - sum(parts) for total, *parts in zip(totals, *columns)], *columns]
    common = dict(device='cpu', dtype='uint8, float32', shape=plural(len(chosen), 'keyframe'), mode=mode,
                  repeats=arguments.repeats)
    rows = [Row(name=name, median_s=statistics.median(column), spread=quartile_spread(column), **common)
            for name, column in zip(names, columns)]
    median_s = statistics.median(totals)
    return [Row(name=TOTAL, median_s=median_s, spread=quartile_spread(totals), includes=INCLUDES,
                excludes=EXCLUDES, facts={'samples_per_s': 1 / median_s}, **common), *rows]


def _complete(dataset: Any, count: int, ann_file: str) -> List[int]:
    """Returns the first keyframes that have as many sweeps before them as any has.

    Raises:
        UserError: if there is no keyframe.
    """
    sweeps = [len(dataset.get_data_info(index)['lidar_sweeps']) for index in range(len(dataset))]
    if not sweeps:
        raise UserError(f'{ann_file} has no keyframe; name another --ann-file')
    return [index for index, number in enumerate(sweeps) if number == max(sweeps)][:count]


def _unique(names: Sequence[str]) -> List[str]:
    """Returns the names; a transform that stands in a pipeline twice gets its number."""
    return [name if name not in names[:number] else f'{name} ({number})' for number, name in enumerate(names)]


def markdown(rows: Sequence[Row]) -> str:
    """Returns the table: the pipelines, then their steps."""
    lines = [[f'**{row.name}**' if row.name == TOTAL else f'`{row.name}`', row.mode, seconds(row.median_s),
              seconds(row.spread), f'{row.facts["samples_per_s"]:.1f}' if row.facts else ''] for row in rows]
    return f'{rows[0].shape}:\n\n' + markdown_table(
        ('step', 'for', 'per keyframe', 'spread', 'keyframes per second and worker'), lines, words=2)
