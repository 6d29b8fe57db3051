"""The input pipeline of a recipe, keyframes a second in one process, beside another project's.

Beside BEVFusion's, read from a checkout of mmdetection3d (--bevfusion-root), or else beside the host's own
transforms. Both load the same keyframes of the same dataset in turns, one thread each, files in the page
cache, and both are asked for pictures of the same size and as many sweeps. Where the recipe decodes pictures
at a reduced size, it runs with whole pictures too. `psnr_db` and `mean_difference` (in grey levels of 255)
tell how far the first keyframe's pictures are from antialiased ones: benchmark/picture_difference.py.
"""
import copy
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

import torch

from geminifusion3d.errors import UserError
from ..arguments import at_least
from ..contest import Entrant, run_contest
from ..data_tables import OURS, STEP, WHOLE, data_markdown
from ..rows import Row

HELP = "the input pipeline, beside the BEVFusion project's or the host's"
EXAMPLE = ('python tools/benchmark.py data --data-root data/synthetic '
           '--ann-file geminifusion3d_infos_mini_train.pkl --repeats 21')
CONFIG = 'configs/geminifusion3d_lidar-cam_voxel0075_second_secfpn_8xb4-cyclic-6e_nus-3d.py'
EXCLUDES = 'collation, the way from a loading worker to the model, normalisation (on the device)'

markdown = data_markdown


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the options of this sub-command."""
    parser.add_argument('--config', default=CONFIG, metavar='FILE',
                        help='the recipe, of camera and LiDAR; default: the full-size one')
    parser.add_argument('--data-root', metavar='DIR', help="a converted dataset; default: the recipe's")
    parser.add_argument('--ann-file', metavar='FILE', help="info file; default: the recipe's of training")
    parser.add_argument('--samples', type=at_least(1), default=7, metavar='N',
                        help='keyframes in turn, those with all sweeps; default: 7')
    parser.add_argument('--sweeps', type=at_least(0), metavar='N',
                        help="read so many sweeps before a keyframe, in all pipelines; default: the recipe's")
    parser.add_argument('--bevfusion-root', type=Path, metavar='DIR',
                        help='a checkout of mmdetection3d, whose transforms are run')


def run(arguments: Namespace) -> List[Row]:
    """Measures loading for training and for testing, and every step of each pipeline."""
    import cv2
    from mmengine.registry import init_default_scope

    from geminifusion3d.engine.config_file import load_config
    from ..peer_pipelines import bevfusion_pipelines, host_pipelines
    from ..picture_difference import with_whole_pictures
    arguments = copy.copy(arguments)
    arguments.device = torch.device('cpu')
    torch.set_num_threads(arguments.threads or 1)
    # As in loading workers.
    cv2.setNumThreads(0)
    init_default_scope('mmdet3d')
    datasets = recipe_datasets(load_config(arguments.config), arguments)
    pipelines = {mode: list(dataset.pop('pipeline')) for mode, dataset in datasets.items()}
    peer = 'BEVFusion project' if arguments.bevfusion_root else "host's transforms"
    others = (bevfusion_pipelines(arguments.bevfusion_root) if arguments.bevfusion_root
              else host_pipelines(pipelines))
    rows: List[Row] = []
    for mode, dataset in datasets.items():
        contestants = {OURS: pipelines[mode], WHOLE: with_whole_pictures(pipelines[mode]), peer: others[mode]}
        if contestants[OURS] == contestants[WHOLE]:
            del contestants[WHOLE]
        contestants = {name: with_sweeps(steps, arguments.sweeps) for name, steps in contestants.items()}
        rows += _compare(mode, dataset, contestants, arguments)
    return rows


def with_sweeps(steps: List[Dict[str, Any]], sweeps_num: Optional[int]) -> List[Dict[str, Any]]:
    """Returns a pipeline that reads so many sweeps before a keyframe.

    Args:
        steps: the transforms, as configs.
        sweeps_num: None for the pipeline's own.
    """
    return [{**step, 'sweeps_num': sweeps_num} if sweeps_num is not None and 'sweeps_num' in step
            else dict(step) for step in steps]


def recipe_datasets(cfg: Mapping[str, Any], arguments: Namespace) -> Dict[str, Dict[str, Any]]:
    """Returns the innermost datasets of training and testing on the same info file, as configs.

    Args:
        cfg: the recipe.
        arguments: the command line.
    """
    datasets = {}
    for mode, loader in (('training', 'train_dataloader'), ('test', 'test_dataloader')):
        dataset = cfg[loader].dataset
        while 'dataset' in dataset:
            dataset = dataset.dataset
        datasets[mode] = copy.deepcopy(dataset).to_dict()
    ann_file = arguments.ann_file or datasets['training']['ann_file']
    data_root = arguments.data_root or datasets['training']['data_root']
    return {mode: {**dataset, 'ann_file': ann_file, 'data_root': data_root}
            for mode, dataset in datasets.items()}


def _compare(mode: str, dataset: Mapping[str, Any], pipelines: Mapping[str, List[Dict[str, Any]]],
             arguments: Namespace) -> List[Row]:
    """Returns a row for each pipeline and one for each of its steps."""
    from ..picture_difference import picture_difference
    from ..timed_loading import TimedLoading
    infos, shape = _keyframes(dataset, pipelines[OURS], arguments)
    loadings = {name: TimedLoading(dataset=dataset, steps=steps, indices=list(infos))
                for name, steps in pipelines.items()}
    entrants = [Entrant(
        name=name, call=loading.call, prepare=loading.prepare, shape=shape, dtype='uint8, float32', mode=mode,
        includes=f'record to packed keyframe: {", ".join(step.name for step in loading.steps)}',
        excludes=EXCLUDES, measure_memory=False) for name, loading in loadings.items()]
    rows = []
    for row in run_contest(entrants, arguments):
        facts = {'samples_per_s': 1 / row.median_s}
        if row.name in (OURS, WHOLE):
            facts.update(picture_difference(next(iter(infos.values())), pipelines[row.name]))
        rows.append(replace(row, facts=facts))
        rows += [Row(name=f'{row.name}: {step}', device=row.device, dtype=row.dtype, shape=shape,
                     median_s=median_s, spread=0.0, mode=f'{STEP}{mode}', repeats=row.repeats)
                 for step, median_s in loadings[row.name].median_s_by_step(row.repeats).items()]
    return rows


def _keyframes(dataset: Mapping[str, Any], steps: List[Dict[str, Any]], arguments: Namespace
               ) -> Tuple[Dict[int, Dict[str, Any]], str]:
    """Returns the records of keyframes with all sweeps by their index, and what is loaded in words."""
    from mmdet3d.registry import DATASETS
    sweeps_num = next((step['sweeps_num'] for step in steps if step['type'] == 'GeminiLoadPoints'), None)
    final_hw = next((step['final_hw'] for step in steps if step['type'] == 'GeminiAugmentImages'), None)
    if sweeps_num is None or final_hw is None:
        raise UserError(f'{arguments.config} has no GeminiLoadPoints and GeminiAugmentImages in its '
                        'pipelines; name a recipe of camera and LiDAR')
    built = DATASETS.build(dict(dataset, pipeline=[], filter_empty_gt=False))
    infos = {index: built.get_data_info(index) for index in range(len(built))}
    complete = [index for index, info in infos.items() if len(info['lidar_sweeps']) >= sweeps_num]
    chosen = {index: infos[index] for index in complete[:arguments.samples]}
    if not chosen:
        raise UserError(f'{dataset["ann_file"]} has no keyframe with {sweeps_num} sweeps before it; name '
                        'another --ann-file, or fewer --sweeps')
    images = next(iter(chosen.values()))['images']
    first = next(iter(images.values()))
    for info in chosen.values():
        _read_once(info)
    return chosen, (f'{len(images)} x {first["width"]} x {first["height"]} to {final_hw[1]} x {final_hw[0]}, '
                    f'{sweeps_num + 1} sweep{"s" if sweeps_num else ""}')


def _read_once(info: Mapping[str, Any]) -> None:
    """Brings the files of a keyframe into the page cache."""
    sweeps = [info, *info['lidar_sweeps']]
    for path in [*(image['img_path'] for image in info['images'].values()),
                 *(sweep['lidar_points']['lidar_path'] for sweep in sweeps)]:
        Path(path).read_bytes()
