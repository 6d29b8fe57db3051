"""The robustness suite: the clean evaluation, then every corruption at every severity; failures likewise.

Resistance ability is how much of its clean score a model keeps, as MultiCorrupt defines it (Beemelmanns et
al., IV 2024, arXiv 2402.11677, "Metrics"), with M the mAP or the NDS:

    RA_{c,s} = M_{c,s} / M_clean        RA_c = mean of RA_{c,s} over s        mRA = mean of RA_c over c
"""
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from mmengine.config import Config

from geminifusion3d.atomic import write_json, write_whole

from ..corruptions.catalogue import CATALOGUE, CORRUPTIONS
from ..corruptions.strength import SEVERITIES
from ..jobs import Results
from ..text_table import Row, markdown_table, number, terminal_table
from .changed_recipe import corrupted, is_touched
from .evaluations import CLEAN, METRICS, Condition, Evaluate, Scores, run_conditions
from .published import MOME_NDS, PUBLISHED

JSON_FILE, MARKDOWN_FILE = 'robustness.json', 'robustness.md'
WARNING = ('The other rows are published by MultiCorrupt, measured on its files of nuScenes val (6019 '
           'keyframes). Numbers of another dataset, of synthetic scenes above all, cannot be compared with '
           'them, nor can those of corruptions that are made differently here (snow on LiDAR).')
MOME_WARNING = ('MoME\'s row is published, of nuScenes-R made from nuScenes val: not to be compared with '
                'numbers of another dataset. Object failure is drawn for each object here and for each '
                'keyframe there, and a dirty lens is drawn here and photographed there, of unknown strength.')


@dataclass(frozen=True)
class Resistance:
    """How well one metric survives.

    Attributes:
        clean: the metric without corruption.
        by_corruption: RA_c of each; None where the clean metric is 0, of which nothing can be kept.
        mean: mRA over these corruptions, or None.
    """

    clean: float
    by_corruption: Dict[str, Optional[float]]
    mean: Optional[float]


def condition_name(corruption: str, severity: int) -> str:
    """Returns the name of a corrupted evaluation."""
    return f'{corruption}-{severity}'


def resistance(scores: Mapping[str, Mapping[str, float]], metric: str, corruptions: Sequence[str],
               severities: Sequence[int]) -> Resistance:
    """Computes the resistance abilities of one metric.

    Args:
        scores: by condition, the clean one among them, then by metric.
        metric: 'mAP' or 'NDS'.
        corruptions: over which mRA is the mean.
        severities: over which each RA_c is the mean.
    """
    clean = scores[CLEAN][metric]
    if clean <= 0:
        return Resistance(clean, dict.fromkeys(corruptions), None)
    kept = {name: fmean(scores[condition_name(name, severity)][metric] / clean for severity in severities)
            for name in corruptions}
    return Resistance(clean, kept, fmean(kept.values()))


@dataclass(frozen=True)
class RobustnessReport:
    """Scores of the suite and what follows from them.

    Attributes:
        scores: mAP and NDS by condition, the clean one among them.
        corruptions: those that were run, in the catalogue's order.
        severities: those that were run.
        untouched: corruptions of sensors that the recipe does not read.
    """

    scores: Mapping[str, Scores]
    corruptions: Sequence[str]
    severities: Sequence[int]
    untouched: Sequence[str] = ()

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> 'RobustnessReport':
        """Reads what `to_json` wrote."""
        scores = {condition_name(name, int(severity)): found for name, levels in content['scores'].items()
                  for severity, found in levels.items()}
        return cls({**scores, CLEAN: content['clean']}, content['corruptions'], content['severities'],
                   content['untouched'])

    def of(self, metric: str) -> Resistance:
        """Returns the resistance abilities of mAP or NDS."""
        return resistance(self.scores, metric, self.corruptions, self.severities)

    @property
    def is_whole(self) -> bool:
        """Says whether mRA is over all corruptions and severities."""
        return set(self.corruptions) == set(CORRUPTIONS) and set(self.severities) == set(SEVERITIES)

    def to_json(self) -> Dict[str, Any]:
        """Returns plain values."""
        found = {metric: self.of(metric) for metric in METRICS}
        return dict(
            clean=self.scores[CLEAN], corruptions=list(self.corruptions), severities=list(self.severities),
            untouched=list(self.untouched), is_whole=self.is_whole,
            scores={name: {str(severity): self.scores[condition_name(name, severity)]
                           for severity in self.severities} for name in self.corruptions},
            resistance={metric: dict(mRA=one.mean, RA=one.by_corruption) for metric, one in found.items()})

    def to_terminal(self) -> str:
        """Returns a table and what is missing from a whole one."""
        return '\n'.join([terminal_table(self._header(), self._rows()), *self._notes()])

    def to_markdown(self, model: str) -> str:
        """Returns this model's table and its row among the published ones."""
        parts = [f'# Robustness of {model}', self.markdown_scores()]
        if set(self.corruptions) & set(CORRUPTIONS):
            parts += ['## Resistance ability (NDS) beside MultiCorrupt\'s published table',
                      self.markdown_published(model)]
        if self.has_failures:
            parts += ['## NDS with failing sensors beside MoME\'s published row',
                      self.markdown_failures(model)]
        return '\n\n'.join(parts) + '\n'

    def markdown_scores(self) -> str:
        """Returns the table of this model, and what is missing from a whole one."""
        return '\n\n'.join([markdown_table(self._header(), self._rows()), *self._notes()])

    def markdown_published(self, model: str) -> str:
        """Returns this model's row above the published ones, and why they do not compare."""
        table = markdown_table(_published_header(), [self._own_row(model), *_published_rows()])
        return f'{table}\n\n{WARNING}'

    @property
    def has_failures(self) -> bool:
        """Says whether failures of sensors were run, which are none of MultiCorrupt's."""
        return not set(self.corruptions) <= set(CORRUPTIONS)

    def markdown_failures(self, model: str) -> str:
        """Returns this model's NDS above MoME's where that is published, and why they do not compare."""
        header = ['model', *[_condition_label(name) for name in MOME_NDS]]
        own = [f'**{model}**', *[number(self.scores[name]['NDS'] if name in self.scores else None)
                                 for name in MOME_NDS]]
        return f'{markdown_table(header, [own, ["MoME", *map(number, MOME_NDS.values())]])}\n\n{MOME_WARNING}'

    def _header(self) -> Row:
        levels = [f'{metric} at {severity}' for metric in METRICS for severity in self.severities]
        return ['corruption', 'RA (mAP)', 'RA (NDS)', *levels]

    def _rows(self) -> List[Row]:
        found = [self.of(metric) for metric in METRICS]
        clean = ['clean', '', '', *[number(self.scores[CLEAN][metric])
                                    for metric in METRICS for _ in self.severities]]
        rows = [[CATALOGUE[name].label, *[number(one.by_corruption[name]) for one in found],
                 *[number(self.scores[condition_name(name, severity)][metric])
                   for metric in METRICS for severity in self.severities]] for name in self.corruptions]
        mean = ['mean (mRA)', *[number(one.mean) for one in found], *[''] * 2 * len(self.severities)]
        return [clean, *rows, mean]

    def _notes(self) -> List[str]:
        notes = []
        if self.has_failures:
            notes.append(f'The mean is over these {len(self.corruptions)}: not MultiCorrupt\'s.')
        elif not self.is_whole:
            notes.append(f'mRA over {len(self.corruptions)} of {len(CORRUPTIONS)} corruptions at severities '
                         f'{", ".join(map(str, self.severities))}: not the published mean.')
        if self.untouched:
            labels = ', '.join(CATALOGUE[name].label for name in self.untouched)
            notes.append(f'Clean scores, since the recipe does not read the sensor: {labels}.')
        return notes

    def _own_row(self, model: str) -> Row:
        own = self.of('NDS')
        return [f'**{model}**', number(own.clean), number(own.mean if self.is_whole else None),
                *[number(own.by_corruption.get(name)) for name in CORRUPTIONS]]


def _condition_label(name: str) -> str:
    corruption, _, severity = name.rpartition('-')
    return f'{CATALOGUE[corruption].label} at {severity}' if corruption else name


def _published_header() -> Row:
    return ['model', 'clean NDS', 'mRA', *[corruption.label for corruption in CORRUPTIONS.values()]]


def _published_rows() -> List[Row]:
    return [[row.model, number(row.clean_nds), number(row.mean),
             *[number(row.by_corruption[name]) for name in CORRUPTIONS]] for row in PUBLISHED]


def suite_conditions(cfg: Config, corruptions: Sequence[str], severities: Sequence[int]) -> List[Condition]:
    """Returns all evaluations of the suite."""
    conditions = [Condition(CLEAN, cfg)]
    for name in corruptions:
        same_as = '' if is_touched(cfg, name) else CLEAN
        conditions += [Condition(condition_name(name, severity), corrupted(cfg, name, severity), same_as)
                       for severity in severities]
    return conditions


def run_suite(cfg: Config, results: Results, evaluate: Evaluate, *, corruptions: Sequence[str],
              severities: Sequence[int], say: Callable[[str], None] = print, is_writer: bool = True
              ) -> RobustnessReport:
    """Runs what is not done yet and returns the result of all."""
    scores = run_conditions(suite_conditions(cfg, corruptions, severities), results, evaluate, say=say,
                            is_writer=is_writer)
    untouched = [name for name in corruptions if not is_touched(cfg, name)]
    return RobustnessReport(scores, corruptions, severities, untouched)


def write_report(report: RobustnessReport, folder: Path, model: str) -> None:
    """Writes JSON and Markdown."""
    write_json(folder / JSON_FILE, report.to_json(), indent=2, sealed=True)
    write_whole(folder / MARKDOWN_FILE, report.to_markdown(model))
