"""What a step or a prediction of a recipe asks of a GPU, stage by stage, counted on a machine without one.

Batch and weights are in float32 and have shapes only (launch_counter.py); times are not measured. The second
call counts, when constants are where they belong.
"""
from argparse import Namespace
from collections import Counter
from typing import Dict, List

import torch
from mmengine.optim import build_optim_wrapper

from geminifusion3d.commands.arguments import overrides

from ...text_table import markdown_table
from ..launch_counter import META, Count, LaunchCounter, on_the_cpu, on_the_device
from ..model_run import ModelRun
from ..stage_clock import REST, STAGES, StageClock


class _Run(ModelRun):
    def _count(self) -> Dict[str, int]:
        return {}


class _Stages(StageClock):
    """Says which stage runs, and looks at no clock."""

    def current(self) -> str:
        """Returns the stage."""
        return self._stack[-1] if self._stack else REST

    def _book(self) -> None:
        pass


def run(arguments: Namespace) -> str:
    """Returns a table of the stages."""
    from geminifusion3d.engine.config_file import check_sections, load_config
    from geminifusion3d.engine.mistakes import config_mistakes
    cfg = load_config(arguments.config, overrides(arguments.cfg_options))
    check_sections(cfg, ['model', 'test_dataloader', 'train_dataloader', 'optim_wrapper'])
    with config_mistakes(arguments.config):
        model_run = _Run(cfg=cfg, arguments=Namespace(
            **vars(arguments), checkpoint=None, frames=1, calibrations=0, amp=None, fold_norms=False,
            compile=False, cuda_graphs=False, device=torch.device('cpu')))
    counter = LaunchCounter(lambda: stages.current())
    stages = _Stages(device=META, watched=[], outermost=REST)
    if model_run.model.lidar_branch is not None:
        data = model_run.model.data_preprocessor(model_run.collate(model_run.load(0)),
                                                 training=model_run.is_training)
        with torch.no_grad(), on_the_cpu(counter, model_run.model):
            model_run.model.lidar_branch(data['inputs']['points'])
    model_run.model.to(META)
    if model_run.is_training:
        model_run.optim_wrapper = build_optim_wrapper(model_run.model, cfg.optim_wrapper)
    stages.watched = model_run.watched()
    for turn in range(2):
        counter.by_stage.clear()
        with on_the_device(counter), stages:
            model_run.step(turn)
    waits: Counter = sum((one.waits for one in counter.by_stage.values()), Counter())
    places = ', '.join(f'{place} ({times})' for place, times in waits.most_common())
    what = 'training step' if model_run.is_training else 'prediction'
    return (f'{_table(counter)}\n\n`{arguments.config}`, {what}, batch of {arguments.batch_size}, float32: '
            f'{model_run.inputs.words}. It waits at: {places or "no place"}.')


def _table(counter: LaunchCounter) -> str:
    rows, total = [], Count()
    for stage in sorted(counter.by_stage, key=STAGES.index):
        one = counter.by_stage[stage]
        rows.append(_cells(stage, one))
        total.launches += one.launches
        total.moved_bytes += one.moved_bytes
        total.waits.update(one.waits)
    return markdown_table(['stage', 'launches', 'MiB in and out', 'waits'], [*rows, _cells('**all**', total)])


def _cells(name: str, one: Count) -> List[str]:
    return [name, f'{one.launches:,}', f'{one.moved_bytes / 2 ** 20:,.0f}', str(sum(one.waits.values()))]
