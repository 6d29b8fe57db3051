"""A detector stage by stage, from raw files to nuScenes records, or a training step with --train.

Stages are timed one after another: at each change a GPU is waited for, so that their sum is more than the
row without a clock, which lets them overlap. Without the recipe's dataset one made-up sample is used, and
the table says so.
"""
import statistics
import time
import warnings
from argparse import Namespace
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

import torch

from geminifusion3d.commands.arguments import overrides
from geminifusion3d.errors import UserError

from ...text_table import markdown_table
from ..contest import peak_extra_bytes, quartile_spread
from ..rows import Row, mebibytes, seconds
from ..stage_clock import REST, STAGES, StageClock, synchronise

TOTAL = 'all, without a clock between the stages'
INCLUDES = ('reading files, decoding and augmenting, collating, transfer, voxelisation, network, '
            'post-processing, records in the global frame')
EXCLUDES = 'start-up, the first calls, scoring and writing'
TRAINING_INCLUDES = ('reading files, decoding and augmenting, collating, transfer, voxelisation, network, '
                     'targets, losses, backward, update of the weights')


def run(arguments: Namespace) -> List[Row]:
    """Measures a recipe."""
    from geminifusion3d.engine.config_file import check_sections, load_config
    from geminifusion3d.engine.mistakes import config_mistakes

    from ..model_run import ModelRun, describe
    if arguments.train and (arguments.fold_norms or arguments.compile or arguments.cuda_graphs):
        raise UserError('got --train and --fold-norms, --compile or --cuda-graphs, which are for predicting; '
                        'leave them out')
    cfg = load_config(arguments.config, overrides(arguments.cfg_options))
    check_sections(cfg, ['model', 'test_dataloader', 'train_dataloader', 'optim_wrapper'])
    with config_mistakes(arguments.config):
        model_run = ModelRun(cfg=cfg, arguments=arguments)
    print(describe(model_run, arguments.checkpoint), flush=True)
    for turn in range(max(1, arguments.warm_up)):
        model_run.step(turn)
    by_stage, totals = _time(model_run, arguments)
    peak = peak_extra_bytes(model_run.network(0), arguments.device)
    waits = host_waits(model_run.step) if arguments.device.type == 'cuda' else None
    return _rows(model_run, arguments, by_stage, totals, peak, waits)


def markdown(rows: Sequence[Row]) -> str:
    """Returns a table of stages with their shares for each run, and what it is about."""
    ends = [index + 1 for index, row in enumerate(rows) if row.name == TOTAL]
    return '\n\n'.join(_of_run(rows[start:end]) for start, end in zip([0, *ends], ends))


def host_waits(step: Callable[[int], Any]) -> Dict[str, int]:
    """Returns how often each place of a step, file:line, waited for the GPU, as torch itself says."""
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        torch.cuda.set_sync_debug_mode('warn')
        try:
            step(0)
        finally:
            torch.cuda.set_sync_debug_mode(before)
    places = Counter(f'{Path(one.filename).name}:{one.lineno}' for one in caught
                     if 'synchronizing CUDA operation' in str(one.message))
    return dict(places.most_common())


def _of_run(rows: Sequence[Row]) -> str:
    total = rows[-1]
    sum_s = sum(row.median_s for row in rows[:-1])
    lines = [[row.name, seconds(row.median_s), f'{row.median_s / sum_s:.0%}',
              '–' if row.macs is None else f'{row.macs / 1e9:.2f} G'] for row in rows[:-1]]
    lines.append([f'**{total.name}**', seconds(total.median_s), '',
                  '–' if total.macs is None else f'{total.macs / 1e9:.2f} G'])
    words = (f'`{total.facts["recipe"]}`, {total.mode}, batch of {total.facts["batch_size"]}: '
             f'{total.facts["words"]}. Peak memory: {mebibytes(total.peak_bytes)} beside the weights, '
             f'{mebibytes(total.facts["weight_bytes"])}. Included: {total.includes}; not: {total.excludes}.')
    waits = total.facts.get('waits')
    if waits is not None:
        places = ', '.join(f'{place} ({count})' for place, count in waits.items())
        words += f' It waits for the GPU {sum(waits.values())} times' + (f': {places}.' if places else '.')
    return markdown_table(['stage', 'median', 'share', 'multiply-adds'], lines) + f'\n\n{words}'


def _time(model_run: Any, arguments: Namespace) -> Any:
    """Returns the seconds of each stage and of all together, call by call, in turns."""
    clock = StageClock(device=arguments.device, watched=model_run.watched(), outermost=REST)
    by_stage: Dict[str, List[float]] = {}
    totals: List[float] = []
    for turn in range(arguments.repeats):
        with clock:
            model_run.step(turn)
        for stage, taken_s in clock.seconds.items():
            by_stage.setdefault(stage, []).append(taken_s)
        synchronise(arguments.device)
        begin_s = time.perf_counter()
        model_run.step(turn)
        synchronise(arguments.device)
        totals.append(time.perf_counter() - begin_s)
    return by_stage, totals


def _rows(model_run: Any, arguments: Namespace, by_stage: Dict[str, List[float]], totals: List[float],
          peak: int, waits: Optional[Dict[str, int]]) -> List[Row]:
    from ..model_run import describe, device_bytes
    common = dict(device=str(arguments.device), dtype=model_run.precision, repeats=arguments.repeats,
                  shape=f'batch of {arguments.batch_size}',
                  mode='training step' if arguments.train else 'inference')
    macs, batch = model_run.multiply_adds, arguments.batch_size
    rows = [Row(name=stage, median_s=statistics.median(by_stage[stage]),
                spread=quartile_spread(by_stage[stage]),
                macs=macs[stage] * batch if stage in macs else None, **common)
            for stage in STAGES if stage in by_stage]
    made_up = not hasattr(model_run.inputs, 'dataset')
    includes = TRAINING_INCLUDES if arguments.train else INCLUDES
    return rows + [Row(
        name=TOTAL, median_s=statistics.median(totals), spread=quartile_spread(totals), peak_bytes=peak,
        macs=sum(macs.values()) * batch if macs else None,
        includes=includes.partition('augmenting, ')[2] if made_up else includes,
        excludes=EXCLUDES if not made_up else f'reading files (the dataset is absent), {EXCLUDES}',
        facts=dict(recipe=arguments.config, words=describe(model_run, arguments.checkpoint), batch_size=batch,
                   waits=waits, weight_bytes=device_bytes(model_run.model)), **common)]
