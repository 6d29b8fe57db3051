"""Results of all runs -> differences with intervals -> Markdown tables and one plot."""
import math
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np

from ..charts import COLOURS, TEXT, new_chart, svg_text
from ..cost.stats_table import three_digits
from ..paired import Difference, holm, paired
from ..text_table import NOTHING, markdown_table
from .conditions import CLEAN, CONDITIONS
from .fusers import FUSERS, GATES, NO_DROPOUT, REFERENCES
from .runs import MEAN, REPORT

SIGNIFICANT = 0.05
# With fewer seeds there is no verdict.
ENOUGH_SEEDS = 8
METRICS = {CLEAN: 'clean mAP', MEAN: 'mean mAP over the other conditions'}
Results = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Comparison:
    """A fuser beside a reference, by one metric.

    Attributes:
        difference: over the seeds that both have.
        p_holm: corrected for all fusers beside this reference.
        scenes: standard deviation of the mean difference over resampled scenes.
    """

    difference: Difference
    p_holm: float
    scenes: float

    @property
    def is_above(self) -> bool:
        """Says whether the fuser is ahead, all fusers counted."""
        return self.difference.mean > 0 and self.p_holm < SIGNIFICANT

    def __str__(self) -> str:
        return f'{self.difference:.3f}'


def score_of(result: Mapping[str, Any], metric: str, world: str = REPORT) -> float:
    """Returns a run's score.

    Args:
        result: of the run.
        metric: a condition, or MEAN.
        world: TUNE or REPORT.
    """
    scores: Mapping[str, float] = result['scores'][world]
    if metric != MEAN:
        return scores[metric]
    return float(np.mean([value for name, value in scores.items() if name != CLEAN]))


def by_seed(results: Results, fuser: str, metric: str, world: str = REPORT) -> Dict[int, float]:
    """Returns a fuser's scores by seed."""
    return {one['seed']: score_of(one, metric, world) for one in results if one['variant'] == fuser}


def names_of(results: Results) -> List[str]:
    """Returns the fusers that have results, in the table's order."""
    return [name for name in FUSERS if any(one['variant'] == name for one in results)]


def trained_alike(results: Results) -> Dict[str, Results]:
    """Returns the runs with dropout of sensors in training, and those without under their fusers' names."""
    without = [dict(one, variant=one['variant'].removesuffix(NO_DROPOUT)) for one in results
               if one['variant'].endswith(NO_DROPOUT)]
    found: Dict[str, Results] = {'': [one for one in results if not one['variant'].endswith(NO_DROPOUT)],
                                 'Without dropout of sensors in training': without}
    return {said: alike for said, alike in found.items() if alike}


def compare_all(results: Results, reference: str, metric: str, world: str = REPORT) -> Dict[str, Comparison]:
    """Compares every fuser with a reference.

    Args:
        results: of all runs.
        reference: a fuser.
        metric: a key of METRICS.
        world: TUNE or REPORT.
    """
    of_reference = by_seed(results, reference, metric, world)
    found = {}
    for name in names_of(results):
        own = by_seed(results, name, metric, world)
        if name != reference and own.keys() & of_reference.keys():
            found[name] = paired(own, of_reference)
    corrected = holm({name: one.p for name, one in found.items()})
    return {name: Comparison(one, corrected[name], scene_spread(results, name, reference, metric))
            for name, one in found.items()}


def scene_spread(results: Results, fuser: str, reference: str, metric: str) -> float:
    """Returns how much a mean difference hangs on the scenes: its bootstrap standard deviation."""
    drawn = [{one['seed']: one['resampled'][metric] for one in results if one['variant'] == name}
             for name in (fuser, reference)]
    seeds = sorted(drawn[0].keys() & drawn[1].keys())
    differences = np.mean([np.subtract(drawn[0][seed], drawn[1][seed]) for seed in seeds], axis=0)
    return float(np.std(differences, ddof=1)) if len(differences) > 1 else math.nan


def decision_table(results: Results, metric: str) -> str:
    """Returns the table of one metric: every fuser beside both references.

    Args:
        results: of all runs.
        metric: a key of METRICS.
    """
    header = ['fuser', 'seeds', METRICS[metric]]
    for reference in REFERENCES:
        header += [f'minus {FUSERS[reference].label}', 'scenes', 'p (Holm)']
    compared = [compare_all(results, reference, metric) for reference in REFERENCES]
    rows = []
    for name in names_of(results):
        values = list(by_seed(results, name, metric).values())
        spread = f' ± {np.std(values, ddof=1):.3f}' if len(values) > 1 else ''
        row = [FUSERS[name].label, str(len(values)), f'{np.mean(values):.3f}{spread}']
        for found in compared:
            row += _cells(found[name]) if name in found else [NOTHING] * 3
        rows.append(row)
    return markdown_table(header, rows)


def _cells(one: Comparison) -> List[str]:
    p = NOTHING if math.isnan(one.p_holm) else '< 0.001' if one.p_holm < 0.001 else f'{one.p_holm:.3f}'
    return [f'**{one}**' if one.p_holm < SIGNIFICANT else str(one),
            NOTHING if math.isnan(one.scenes) else f'± {one.scenes:.3f}', p]


def condition_table(results: Results) -> str:
    """Returns the mean mAP of every fuser under every condition, over the seeds that all fusers have."""
    names = names_of(results)
    seeds = set.intersection(*({one['seed'] for one in results if one['variant'] == name} for name in names))
    kept = [one for one in results if one['seed'] in seeds]
    listed = [name for name in CONDITIONS if all(name in one['scores'][REPORT] for one in kept)]
    rows = [[CONDITIONS[condition].label, *[f'{np.mean(list(by_seed(kept, name, condition).values())):.3f}'
                                            for name in names]] for condition in listed]
    return markdown_table([f'condition, {len(seeds)} seeds', *[FUSERS[name].label for name in names]], rows)


def gate_table(results: Results) -> str:
    """Returns the two-by-two table of gate x dropout; nothing where a cell has no run."""
    cells = [name + ending for name in GATES for ending in (NO_DROPOUT, '')]
    if not set(cells) <= set(names_of(results)):
        return ''
    seeds = set.intersection(*({one['seed'] for one in results if one['variant'] == name} for name in cells))
    kept = [one for one in results if one['seed'] in seeds]
    shown = (CLEAN, 'no-camera', 'no-lidar', 'black-cameras', 'empty-lidar')
    rows = []
    for name in cells:
        rows.append([FUSERS[name.removesuffix(NO_DROPOUT)].label,
                     'without' if name.endswith(NO_DROPOUT) else 'with',
                     *[f'{np.mean(list(by_seed(kept, name, one).values())):.3f}' for one in shown]])
    return markdown_table([f'fuser, {len(seeds)} seeds', 'dropout in training', *[
        CONDITIONS[one].label for one in shown]], rows, words=2)


def cost_line(results: Results) -> str:
    """Returns how many parameters each fuser has."""
    sizes = {one['variant'].removesuffix(NO_DROPOUT): one['fuser_parameters'] for one in results}
    return 'Parameters of the fusers: ' + ', '.join(
        f'{FUSERS[name].label} {three_digits(sizes[name])}' for name in FUSERS if name in sizes) + '.'


def verdict(results: Results) -> str:
    """Returns the answer in a sentence for each metric; of runs with few seeds, that there is none."""
    sentences = []
    for said, alike in trained_alike(results).items():
        beside = compare_all(alike, REFERENCES[0], CLEAN).values()
        pairs = max((one.difference.pairs for one in beside), default=0)
        if pairs < ENOUGH_SEEDS:
            sentences.append((f'{said}: ' if said else '') + (
                f'**Not decided yet:** no fuser has {ENOUGH_SEEDS} seeds beside '
                f'{FUSERS[REFERENCES[0]].label}, {pairs} at most; the tables say how the experiment looks, '
                'not who is ahead.'))
            continue
        for metric, named in METRICS.items():
            compared = {reference: compare_all(alike, reference, metric) for reference in REFERENCES}
            ahead = [name for name in names_of(alike) if name not in REFERENCES
                     and all(name in found and found[name].is_above for found in compared.values())]
            of_whom = '; '.join(f'{FUSERS[name].label} (' + ', '.join(
                f'{found[name]} to {FUSERS[reference].label}' for reference, found in compared.items()) + ')'
                for name in ahead)
            start = f'{said}, on {named}, ' if said else f'On {named}, '
            sentences.append(start + (f'ahead of both references: {of_whom}.' if ahead else
                                      'no fuser is ahead of both addition and convolution.'))
    return ' '.join(['**Synthetic world, small models.**', *sentences])


def svg_plot(results: Results) -> str:
    """Returns an SVG file: each fuser minus addition trained alike, clean and over the conditions."""
    reference = REFERENCES[0]
    lines = [(name, said, alike) for said, alike in trained_alike(results).items()
             for name in names_of(alike) if name != reference]
    title = f'mAP minus that of {FUSERS[reference].label}'
    figure, axes = new_chart((7.5, 0.8 + 0.4 * len(lines)), f'{title}:\nmean and 95 % interval over seeds')
    for place, (metric, label) in enumerate(METRICS.items()):
        found = [compare_all(alike, reference, metric).get(name) for name, _, alike in lines]
        shown: List[Tuple[float, Difference]] = [(row + 0.15 * (2 * place - 1), one.difference)
                                                 for row, one in enumerate(found) if one]
        means = np.array([one.mean for _, one in shown])
        reach = np.array([one.high - one.mean for _, one in shown])
        axes.errorbar(means, [row for row, _ in shown], xerr=reach, fmt='o', markersize=4,
                      color=COLOURS[place], label=label)
    axes.axvline(0, color=COLOURS[5], linewidth=1)
    axes.set_yticks(range(len(lines)), [FUSERS[name + (NO_DROPOUT if said else '')].label
                                        for name, said, _ in lines])
    axes.grid(axis='y', visible=False)
    axes.invert_yaxis()
    figure.legend(loc='outside upper center', ncols=2, labelcolor=TEXT, frameon=False)
    return svg_text(figure, title) + '\n'
