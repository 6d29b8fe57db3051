"""What test-time augmentation gains and costs: plain and augmented evaluations side by side.

What is timed: network, decoding, and fusing the variants, sample by sample in turns. Files are read and
variants made before: loading processes do that beside the network.
"""
import copy
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple

import torch
from mmdet3d.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from torch import nn

from geminifusion3d.atomic import write_json
from geminifusion3d.commands.test_time_augmentation_flags import augment_test_time
from geminifusion3d.results.test_time_augmentation import GeminiTestTimeAugmentation

from ..jobs import Results
from ..text_table import number, terminal_table
from .changed_recipe import read_sensors
from .command import DEFAULT_TERMS
from .evaluations import CLEAN, METRICS, Condition, Evaluate, Scores, build_runner, run_conditions

JSON_FILE = 'tta_gain.json'
SAMPLES, ROUNDS = 4, 2
# Between the terms of one combination.
AND = '+'
GAIN_HEADER = ['augmentation', *[cell for metric in METRICS for cell in (metric, f'Δ {metric}')],
               'per sample', 'cost']

Cost = Callable[[Mapping[str, Config], Path], Dict[str, float]]


def augmented_recipes(cfg: Config, combinations: Sequence[str]) -> Dict[str, Config]:
    """Returns the plain recipe and one for each combination of terms, `+` between; none: the defaults."""
    fitting = DEFAULT_TERMS if 'cameras' in read_sensors(cfg) else DEFAULT_TERMS[:-1]
    recipes = {CLEAN: copy.deepcopy(cfg)}
    for combination in combinations or fitting:
        recipes[combination] = copy.deepcopy(cfg)
        augment_test_time(recipes[combination], combination.split(AND))
    return recipes


def run_gain(cfg: Config, combinations: Sequence[str], results: Results, evaluate: Evaluate, cost: Cost, *,
             say: Callable[[str], None] = print, is_writer: bool = True) -> List[Dict[str, Any]]:
    """Runs what is not done yet; returns one row per combination, the plain evaluation first."""
    recipes = augmented_recipes(cfg, combinations)
    scores = run_conditions([Condition(name, one) for name, one in recipes.items()], results, evaluate,
                            say=say, is_writer=is_writer)
    if not is_writer:
        return []
    folder = Path(results.path).parent
    rows = gain_rows(scores, cost(recipes, folder / 'cost'))
    write_json(folder / JSON_FILE, rows, indent=2)
    say(terminal_table(GAIN_HEADER, [gain_cells(row) for row in rows]))
    return rows


def gain_rows(scores: Mapping[str, Scores], seconds: Mapping[str, float]) -> List[Dict[str, Any]]:
    """Returns the scores of each recipe, their gain over the plain one, and its cost."""
    return [dict(variants=name, **{metric: one[metric] for metric in METRICS},
                 **{f'{metric}_gain': one[metric] - scores[CLEAN][metric] for metric in METRICS},
                 seconds_per_sample=seconds[name], cost=seconds[name] / seconds[CLEAN])
            for name, one in scores.items()]


def gain_cells(row: Mapping[str, Any]) -> List[str]:
    """Returns one line of the table."""
    scores = [cell for metric in METRICS for cell in (
        number(row[metric]), number(row[f'{metric}_gain'], signed=True))]
    name = 'as it is' if row['variants'] == CLEAN else row['variants'].replace(AND, ' ')
    return [name, *scores, f'{row["seconds_per_sample"]:.2f} s', f'{row["cost"]:.1f} x']


def seconds_per_sample(cfgs: Mapping[str, Config], folder: Path) -> Dict[str, float]:
    """Returns the median seconds of one sample under each recipe.

    Every sample goes through all recipes before the next one comes, so that what else the machine does
    falls on all of them; the first sample is a warm-up and is not counted.

    Args:
        cfgs: recipes of one model and checkpoint by name; they differ in their test pipeline.
        folder: for the log.
    """
    runner = build_runner(next(iter(cfgs.values())), folder)
    runner.load_or_resume()
    model = runner.model.eval()
    datasets = {name: DATASETS.build(cfg.test_dataloader.dataset) for name, cfg in cfgs.items()}
    seconds: Dict[str, List[float]] = {name: [] for name in cfgs}
    for turn, index in enumerate(_indices(len(next(iter(datasets.values()))))):
        for name, dataset in datasets.items():
            taken_s = _time(*_ready(model, dataset[index]))
            if turn:
                seconds[name].append(taken_s)
    return {name: median(taken) for name, taken in seconds.items()}


def _indices(n_samples: int) -> List[int]:
    """Returns samples spread over the split, the first once more before them."""
    count = min(SAMPLES, n_samples)
    spread = [number * n_samples // count for number in range(count)]
    return [spread[0], *spread * ROUNDS]


def _ready(model: nn.Module, sample: Dict[str, Any]) -> Tuple[nn.Module, Any]:
    """Returns what predicts a sample, and the batch that it takes."""
    if isinstance(sample['data_samples'], list):
        model = GeminiTestTimeAugmentation(module=model)
    return model, pseudo_collate([sample])


def _time(model: nn.Module, batch: Any) -> float:
    began_s = perf_counter()
    with torch.no_grad():
        model.test_step(batch)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return perf_counter() - began_s
