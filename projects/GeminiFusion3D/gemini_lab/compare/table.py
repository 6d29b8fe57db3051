"""Results of all runs -> one row per model, mean and spread over the seeds -> Markdown table and plot."""
import math
import statistics
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ..charts import COLOURS, new_chart, svg_text
from ..cost.stats_table import GROUPS, three_digits
from ..text_table import NOTHING
from ..text_table import markdown_table as any_table

# The fuser and what prepares its maps.
FUSER = GROUPS['fuser']
HEADER = ('model', 'seeds', 'mAP', 'NDS', 'cameras black: Δ mAP', 'LiDAR empty: Δ mAP', 'parameters',
          'multiply-adds', 'of the fuser', 'training step')


@dataclass(frozen=True)
class Figure:
    """Mean and standard deviation of one number over the seeds.

    Attributes:
        mean: over the seeds.
        spread: with n - 1 in the denominator; NaN for one seed.
    """

    mean: float
    spread: float

    @classmethod
    def of(cls, values: Sequence[float]) -> 'Figure':
        """Returns the figure of some values, at least one."""
        spread = statistics.stdev(values) if len(values) > 1 else math.nan
        return cls(statistics.fmean(values), spread)

    def __format__(self, spec: str) -> str:
        """Writes `mean ± spread`, or the mean alone where there is no spread."""
        mean = format(self.mean, spec)
        return mean if math.isnan(self.spread) else f'{mean} ± {format(self.spread, spec.strip("+"))}'


@dataclass(frozen=True)
class Row:
    """One model.

    Attributes:
        label: how the table calls it.
        runs: mAP of each run.
        mAP: with all sensors.
        NDS: with all sensors.
        black_delta: mAP with black pictures minus mAP, seed by seed; None for one sensor.
        empty_delta: mAP with empty clouds minus mAP, seed by seed; None for one sensor.
        parameters: of the whole model.
        multiply_adds: of the whole model.
        fuser_multiply_adds: of the fuser and what prepares its maps; None for one sensor.
        step_s: of a training step.
        processors: what the steps were timed on.
    """

    label: str
    runs: Tuple[float, ...]
    mAP: Figure
    NDS: Figure
    black_delta: Optional[Figure]
    empty_delta: Optional[Figure]
    parameters: int
    multiply_adds: int
    fuser_multiply_adds: Optional[int]
    step_s: Figure
    processors: Tuple[str, ...]


def summarise(results: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> List[Row]:
    """Returns one row for each model that has results."""
    by_name = {name: sorted((result for result in results if result['variant'] == name),
                            key=lambda result: result['seed']) for name in labels}
    return [_row(labels[name], found) for name, found in by_name.items() if found]


def _row(label: str, results: Sequence[Mapping[str, Any]]) -> Row:
    costs: List[Dict[str, Any]] = results[0]['costs']
    fuser = [cost['multiply_adds'] for cost in costs if cost['stage'] in FUSER]
    runs = tuple(result['scores']['all']['mAP'] for result in results)
    return Row(
        label=label, runs=runs, mAP=Figure.of(runs),
        NDS=Figure.of([result['scores']['all']['NDS'] for result in results]),
        black_delta=_delta(results, 'black'), empty_delta=_delta(results, 'empty'),
        parameters=sum(cost['parameters'] for cost in costs),
        multiply_adds=sum(cost['multiply_adds'] for cost in costs),
        fuser_multiply_adds=sum(fuser) if fuser else None,
        step_s=Figure.of([result['step_s'] for result in results]),
        processors=tuple(sorted({result['processor'] for result in results})))


def _delta(results: Sequence[Mapping[str, Any]], silence: str) -> Optional[Figure]:
    """Returns how mAP changes when a sensor is silent."""
    scores = [result['scores'] for result in results if silence in result['scores']]
    return Figure.of([score[silence]['mAP'] - score['all']['mAP'] for score in scores]) if scores else None


def markdown_table(rows: Sequence[Row]) -> str:
    """Returns the table; numbers that a model does not have are dashes."""
    marks = processor_marks(rows)
    return any_table(HEADER, [_cells(row, marks) for row in rows])


def processor_marks(rows: Sequence[Row]) -> Dict[str, str]:
    """Returns a letter for each processor that steps were timed on; no letter where there is only one."""
    processors = list(dict.fromkeys(name for row in rows for name in row.processors))
    return {name: f' ({chr(ord("a") + place)})' if len(processors) > 1 else ''
            for place, name in enumerate(processors)}


def _cells(row: Row, marks: Dict[str, str]) -> List[str]:
    deltas = [NOTHING if delta is None else f'{delta:+.3f}' for delta in (row.black_delta, row.empty_delta)]
    return [row.label, str(len(row.runs)), f'{row.mAP:.3f}', f'{row.NDS:.3f}', *deltas,
            three_digits(row.parameters), three_digits(row.multiply_adds),
            NOTHING if row.fuser_multiply_adds is None else three_digits(row.fuser_multiply_adds),
            f'{row.step_s.mean * 1000:.0f} ms' + ''.join(marks[name] for name in row.processors)]


def svg_plot(rows: Sequence[Row]) -> str:
    """Returns an SVG file: a bar with mean ± spread per model, a dot per run."""
    figure, axes = new_chart((7.5, 0.6 + 0.27 * len(rows)),
                             'mAP: bars are means, lines standard deviations, dots runs')
    places = range(len(rows))
    axes.barh(places, [row.mAP.mean for row in rows], color=COLOURS[0], alpha=0.35)
    # NaN, the spread of one seed, draws no line.
    axes.errorbar([row.mAP.mean for row in rows], places, xerr=[row.mAP.spread for row in rows],
                  fmt='none', ecolor=COLOURS[0])
    for place, row in zip(places, rows):
        axes.plot(row.runs, [place] * len(row.runs), 'o', color=COLOURS[0], markersize=3.5)
    axes.set_yticks(places, [row.label for row in rows])
    axes.set_xlim(left=0)
    axes.grid(axis='y', visible=False)
    axes.invert_yaxis()
    return svg_text(figure, 'mAP of each model') + '\n'
