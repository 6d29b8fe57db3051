"""Puts the report's sections into one HTML page that needs nothing from outside."""
from dataclasses import dataclass
from html import escape
from typing import Mapping, Optional, Sequence, Tuple

from .assets import CSS, SCRIPT
from .bev_view import bev_figure
from .camera_view import camera_grid
from .charts import class_count_chart, precision_recall_charts, training_charts
from .metric_files import Metrics
from .samples import Sample
from .tables import class_table, facts_list, head_figures
from .training_log import TrainingLog

DISTANCE_LEGEND = ''.join(
    f'<span><i class="distance-{index}"></i>{distance_m} m</span>'
    for index, distance_m in enumerate(('0.5', '1', '2', '4')))
NAVIGATION = '<nav>' + ''.join(
    f'<a href="#{name}">{text}</a>' for name, text in (
        ('metrics', 'Classes'), ('curves', 'Curves'), ('counts', 'Counts'),
        ('training', 'Training'), ('samples', 'Samples'))) + '</nav>'


@dataclass(frozen=True)
class Report:
    """Everything that the page shows."""

    title: str
    facts: Sequence[Tuple[str, str]]
    class_names: Sequence[str]
    metrics: Metrics
    truth_counts: Mapping[str, int]
    prediction_counts: Mapping[str, int]
    training: Optional[TrainingLog]
    samples: Sequence[Sample]
    min_score: float


def render(report: Report) -> str:
    """Returns the page."""
    sections = ''.join((metrics_section(report), curves_section(report), counts_section(report),
                        training_section(report), samples_section(report)))
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<link rel="icon" href="data:,"><title>{escape(report.title)}</title>'
            f'<style>{CSS}</style></head><body><header><div><p class="kicker">GeminiFusion3D · '
            f'evaluation report</p>{NAVIGATION}<h1>{escape(report.title)}</h1>'
            f'{facts_list(report.facts)}</div>'
            f'{head_figures(report.metrics)}</header><main>{sections}</main>'
            f'<footer>Metrics by the official nuScenes devkit (detection_cvpr_2019). Boxes are '
            f'drawn after its filters: class range, at least one LiDAR or radar point, no bicycle '
            f'racks.</footer><script>{SCRIPT}</script></body></html>\n')


def section(name: str, title: str, note: str, content: str) -> str:
    """Returns a titled section."""
    return (f'<section id="{name}"><h2>{title}</h2><p class="note">{note}</p>{content}</section>')


def metrics_section(report: Report) -> str:
    """Returns the table of classes."""
    note = ('AP is higher-is-better; the errors are taken over matches within 2 m and are '
            'lower-is-better. A dash marks a figure that is not defined for the class. Choose a '
            'column head to sort.')
    return section('metrics', 'Per class', note, class_table(
        report.metrics, report.class_names, report.truth_counts))


def curves_section(report: Report) -> str:
    """Returns the precision-recall curves, or why there are none."""
    if not report.metrics.curves:
        return section('curves', 'Precision and recall',
                       'The evaluation left no metrics_details.json: there are no curves.', '')
    note = (f'Match distance: <span class="legend">{DISTANCE_LEGEND}</span> The shaded margins '
            '(recall or precision below 0.1) do not count towards AP.')
    return section('curves', 'Precision and recall', note,
                   precision_recall_charts(report.metrics, report.class_names,
                                           report.truth_counts))


def counts_section(report: Report) -> str:
    """Returns the numbers of boxes per class."""
    note = (f'<span class="legend"><span><i class="truth"></i>evaluated ground truth</span><span>'
            f'<i class="pred"></i>predictions with a score of at least {report.min_score:.2f}'
            f'</span></span>')
    return section('counts', 'Boxes per class in the split', note, class_count_chart(
        report.class_names, report.truth_counts, report.prediction_counts))


def training_section(report: Report) -> str:
    """Returns the training curves, or says that no log was given."""
    if report.training is None:
        return section('training', 'Training', 'No training log was given.', '')
    return section('training', 'Training', 'As training logged it.',
                   training_charts(report.training))


def samples_section(report: Report) -> str:
    """Returns the controls and the pictures of every sample."""
    score = f'{report.min_score:.2f}'
    controls = (
        '<div class="controls"><label><input type="checkbox" data-show="truth" checked>'
        '<i class="truth"></i>ground truth</label><label><input type="checkbox" data-show="pred" '
        'checked><i class="pred"></i>predictions</label><label class="slide">score from '
        f'<output>{score}</output><input type="range" min="0" max="1" step="0.01" '
        f'value="{score}" aria-label="lowest score shown"></label></div>')
    note = ('Solid orange: predictions; dashed blue: ground truth. The filled face is the front; '
            'seen from above, the long line is the way of the next second. Point at a box for its '
            'class, choose a picture to enlarge it.')
    cards = ''.join(sample_card(sample, report.min_score) for sample in report.samples)
    return section('samples', 'Samples', note, controls + cards)


def sample_card(sample: Sample, min_score: float) -> str:
    """Returns the six cameras and the view from above of one sample."""
    shown = sum(box.detection_score >= min_score for box in sample.predictions)
    description = f'<p>{escape(sample.description)}</p>' if sample.description else ''
    return (f'<article class="sample"><div class="about"><h3>{escape(sample.scene_name)} '
            f'<small>at {sample.second_in_scene:.1f} s</small></h3>{description}<p class="count">'
            f'{len(sample.truth)} objects, {shown} predictions from {min_score:.2f} '
            f'<code>{escape(sample.token)}</code></p></div><div class="views">'
            f'{camera_grid(sample, min_score)}{bev_figure(sample, min_score)}</div></article>')
