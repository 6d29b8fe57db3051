"""Puts the report's sections into one HTML page that needs nothing from outside."""
from dataclasses import dataclass
from html import escape
from typing import List, Mapping, Optional, Sequence, Tuple

from .analysis import Analysis
from .breakdown_section import breakdown_tables, intervals_note
from .charts import class_count_chart, precision_recall_charts, training_charts
from .compare_section import compare_content
from .error_charts import error_charts, error_legend
from .metric_files import Metrics
from .robustness_section import Robustness, robustness_content
from .samples_section import SampleCard, anchor, sample_cards, worst_table
from .script import SCRIPT
from .style import CSS
from .tables import class_table, facts_list, head_figures
from .training_log import TrainingLog
from .two_models import TwoModels
from .verdicts import SampleErrors

DISTANCE_LEGEND = ''.join(
    f'<span><i class="distance-{index}"></i>{distance_m} m</span>'
    for index, distance_m in enumerate(('0.5', '1', '2', '4')))


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that the page shows.

    Attributes:
        title: of the page.
        facts: lines of the head, name and value.
        class_names: in the order of the rows.
        metrics: the official figures.
        truth_counts: evaluated objects by class.
        prediction_counts: predictions from `min_score` on, by class.
        training: curves, if a log was given.
        cards: the pictured samples.
        min_score: predictions below it start hidden and do not count as finds in the pictures.
        no_analysis: why there is no analysis; empty if there is one.
        analysis: matches, intervals and breakdown.
        worst: samples with most errors, worst first.
        models: the comparison with another model, if one was asked for.
        robustness: what the robustness tools measured.
        sample_names: scene and time of every sample of the split.
    """

    title: str
    facts: Sequence[Tuple[str, str]]
    class_names: Sequence[str]
    metrics: Metrics
    truth_counts: Mapping[str, int]
    prediction_counts: Mapping[str, int]
    training: Optional[TrainingLog]
    cards: Sequence[SampleCard]
    min_score: float
    no_analysis: str = ''
    analysis: Optional[Analysis] = None
    worst: Sequence[SampleErrors] = ()
    models: Optional[TwoModels] = None
    robustness: Robustness = Robustness()
    sample_names: Mapping[str, str]


@dataclass(frozen=True)
class Section:
    """A titled part of the page: its id, its link's text, its title, a note and content as HTML."""

    name: str
    link: str
    title: str
    note: str
    content: str = ''

    def html(self) -> str:
        """Returns the section."""
        note = f'<p class="note">{self.note}</p>' if self.note else ''
        return f'<section id="{self.name}"><h2>{self.title}</h2>{note}{self.content}</section>'


def render(report: Report) -> str:
    """Returns the page."""
    made = [section for section in (
        classes_section(report), models_section(report), curves_section(report),
        errors_section(report), breakdown_section(report), robustness_section(report),
        counts_section(report), training_section(report), worst_section(report),
        samples_section(report)) if section is not None]
    links = ''.join(f'<a href="#{section.name}">{section.link}</a>' for section in made)
    resampled = report.analysis.resampled if report.analysis else None
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<meta name="color-scheme" content="light dark">'
            f'<link rel="icon" href="data:,"><title>{escape(report.title)}</title>'
            f'<style>{CSS}</style></head><body><header><nav aria-label="sections">{links}</nav>'
            f'<div><p class="kicker">GeminiFusion3D · evaluation report</p>'
            f'<h1>{escape(report.title)}</h1>{facts_list(report.facts)}</div>'
            f'{head_figures(report.metrics, resampled)}</header>'
            f'<main>{"".join(section.html() for section in made)}</main>'
            f'<footer>Metrics by the official nuScenes devkit (detection_cvpr_2019). Boxes are '
            f'drawn after its filters: class range, at least one LiDAR or radar point, no bicycle '
            f'racks.</footer><script>{SCRIPT}</script></body></html>\n')


def name_sample(report: Report, token: str) -> str:
    """Returns scene and time of a sample, as a link to its pictures where they are shown."""
    name = escape(report.sample_names.get(token, token))
    is_shown = any(card.sample.token == token for card in report.cards)
    return f'<a href="#{anchor(token)}">{name}</a>' if is_shown else name


def classes_section(report: Report) -> Section:
    """Returns the table of classes."""
    note = ('AP is higher-is-better; the errors are taken over matches within 2 m and are '
            'lower-is-better. A dash marks a figure that is not defined for the class. Choose a '
            'column head to sort. ')
    resampled = report.analysis.resampled if report.analysis else None
    if resampled:
        note += intervals_note(report.analysis.breakdown)
    return Section('metrics', 'Classes', 'Per class', note, class_table(
        report.metrics, report.class_names, report.truth_counts, resampled))


def models_section(report: Report) -> Optional[Section]:
    """Returns the comparison of two models; None if none was asked for."""
    if report.models is None:
        return None
    this, other = map(escape, report.models.names)
    note = (f'<b>{this}</b> (this page) beside <b>{other}</b>. A difference is this minus the other, '
            f'green where this is better; its interval is over the same resampled scenes and holds 0 '
            f'where the scenes do not tell the two apart. An object counts as found if the official '
            f'matching gives it a prediction within 2 m, with at least the score of the highest F1 of '
            f'that model and class.')
    return Section('models', 'Two models', 'Two models side by side', note, compare_content(
        report.models, report.class_names, lambda token: name_sample(report, token)))


def curves_section(report: Report) -> Section:
    """Returns the precision-recall curves, or why there are none."""
    link, title = 'Precision', 'Precision and recall'
    if not report.metrics.curves:
        return Section('curves', link, title,
                       'The evaluation left no metrics_details.json: there are no curves.')
    note = (f'Match distance: <span class="legend">{DISTANCE_LEGEND}</span> The shaded margins '
            '(recall or precision below 0.1) do not count towards AP.')
    return Section('curves', link, title, note, precision_recall_charts(
        report.metrics, report.class_names, report.truth_counts))


def errors_section(report: Report) -> Optional[Section]:
    """Returns the curves of the true-positive errors; None without curves."""
    if not report.metrics.curves:
        return None
    note = (f'{error_legend()} Mean over the matches within 2 m down to each recall. The official '
            'error is the mean of the curve outside the shaded margin (recall below 0.1).')
    return Section('errors', 'Errors', 'True-positive errors', note, error_charts(
        report.metrics, report.class_names, report.truth_counts))


def breakdown_section(report: Report) -> Section:
    """Returns the score taken apart, or why it is not."""
    link, title = 'Breakdown', 'The score taken apart'
    if report.analysis is None:
        return Section('breakdown', link, title, f'Not available: {escape(report.no_analysis)}.')
    parts = report.analysis.breakdown
    note = ('Figures of parts of the split, on the official matching of the whole. Means are over the '
            f'classes that a part has. {intervals_note(parts)}')
    return Section('breakdown', link, title, note, breakdown_tables(parts, report.class_names))


def robustness_section(report: Report) -> Optional[Section]:
    """Returns what the robustness tools measured; None without their files."""
    content = robustness_content(report.robustness)
    return Section('robustness', 'Robustness', 'Robustness', '', content) if content else None


def counts_section(report: Report) -> Section:
    """Returns the numbers of boxes per class."""
    note = (f'<span class="legend"><span><i class="truth"></i>evaluated ground truth</span><span>'
            f'<i class="pred"></i>predictions with a score of at least {report.min_score:.2f}'
            f'</span></span>')
    return Section('counts', 'Counts', 'Boxes per class in the split', note, class_count_chart(
        report.class_names, report.truth_counts, report.prediction_counts))


def training_section(report: Report) -> Section:
    """Returns the training curves, or says that no log was given."""
    if report.training is None:
        return Section('training', 'Training', 'Training', 'No training log was given.')
    return Section('training', 'Training', 'Training', 'As training logged it.',
                   training_charts(report.training))


def worst_section(report: Report) -> Optional[Section]:
    """Returns the samples with most errors; None where there is none."""
    if not report.worst:
        return None
    note = ('In turn the samples with most missed objects and with most false positives, by the '
            f'official matching within 2 m of the predictions from {report.min_score:.2f} on.')
    return Section('worst', 'Worst samples', 'Worst samples', note, worst_table(
        report.worst, lambda token: name_sample(report, token)))


def samples_section(report: Report) -> Section:
    """Returns the pictures of the chosen samples."""
    return Section('samples', 'Samples', 'Samples', ' '.join(samples_notes(report)),
                   sample_cards(report.cards, report.min_score))


def samples_notes(report: Report) -> List[str]:
    """Returns how to read the pictures."""
    notes = ['Solid orange: predictions; dashed blue: ground truth.']
    if report.analysis:
        notes.append('Red: objects that were missed; pink: predictions that found nothing, at the '
                     'score of the slider.')
    if report.models:
        notes.append(f'Dotted green, if chosen: predictions of {escape(report.models.names[1])}.')
    return [*notes, 'The filled face is the front; seen from above, the long line is the way of the '
            'next second. Point at a box for its class, choose a picture to enlarge it.']
