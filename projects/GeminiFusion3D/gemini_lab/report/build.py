"""The whole report in one call: read, match, choose, draw, write."""
import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from nuscenes import NuScenes

from geminifusion3d.atomic import write_whole
from geminifusion3d.cli import plural
from geminifusion3d.commands.dataset import read_run
from geminifusion3d.errors import UserError
from geminifusion3d.learned_samples import LEARNED, overlap_sentence
from geminifusion3d.nuscenes_facts import CLASS_NAMES
from geminifusion3d.results.devkit_eval import open_tables
from geminifusion3d.submission.provenance import code_facts

from ..analysis.breakdown import breakdown_notes
from ..charts import COLOURS
from ..text_table import NOTHING
from .analysis import (AP_TOLERANCE, Analysis, TwoModels, analyse, predictions_by_sample, two_models,
                       why_no_analysis)
from .curves import DISTANCE_COLOURS, error_charts, error_names, legend, precision_charts, training_charts
from .dataset import (Records, Sample, choose_tokens, count_classes, count_results, predicted_boxes,
                      read_results, read_sample, sample_names, split_tokens, truth_boxes)
from .drawing import CANVAS, View, bev_view, camera_views, scenes_page
from .metric_files import (RESULTS_NAMES, SUMMARY_NAMES, Metrics, find_file, operating_score, read_json,
                           read_metrics)
from .tables import (METRICS, breakdown_tables, class_table, class_title, condition_title, figure_text,
                     modalities_table, model_tables, suite_tables, tiles, worst_table)
from .training_log import TrainingLog, find_training_log, read_training_log
from .verdicts import SampleErrors, errors_by_sample, worst_first

TEMPLATES = Path(__file__).parent / 'template'
ROBUSTNESS_NAMES = ('robustness.json', 'robustness/robustness.json')
MODALITIES_NAMES = ('modalities.json', 'modalities/modalities.json')
# Below this, hundreds of boxes per sample would only make the page large; the slider reaches it.
LOWEST_SCORE, MOST_PREDICTIONS = 0.05, 100
MOST_DIFFERENT = 2


@dataclass(frozen=True, kw_only=True)
class ReportRequest:
    """What the user asks for; paths are shown as they were given.

    Attributes:
        metrics_dir: what evaluation left.
        dataroot: of the dataset.
        version: of its tables.
        split: official or custom.
        results: predictions, if they are not in metrics_dir.
        train_log: log or work directory of the training, if it is not metrics_dir.
        num_samples: how many samples to show beside the worst, the first of them at the head.
        num_worst: how many of the worst samples to show besides.
        sample_tokens: the samples to show instead of both.
        title: of the page.
        min_score: predictions below it start hidden; None for the score of the best F1.
        resamples: bootstrap resamples of the scenes; 0 for no intervals.
        robustness: robustness.json, if it is not in metrics_dir.
        compare: metrics_dir of another model on the same split.
    """

    metrics_dir: Path
    dataroot: Path
    version: str
    split: str
    results: Optional[Path] = None
    train_log: Optional[Path] = None
    num_samples: int = 4
    num_worst: int = 4
    sample_tokens: Sequence[str] = ()
    title: str = 'Camera-LiDAR 3D detection'
    min_score: Optional[float] = None
    resamples: int = 100
    robustness: Optional[Path] = None
    compare: Optional[Path] = None


class Card(NamedTuple):
    """A pictured sample.

    Attributes:
        sample: with its boxes.
        reason: why it is shown.
        counts: objects, predictions, and what is missed or false, in words.
        cameras: its six pictures.
        bev: its view from above.
    """

    sample: Sample
    reason: str
    counts: str
    cameras: List[View]
    bev: View


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was read and found; `render` makes the page of it.

    Attributes:
        request: what was asked for.
        facts: lines of the head, name and value.
        metrics: the official figures.
        min_score: predictions below it start hidden and do not count as finds in the pictures.
        truth: evaluated objects by class.
        predicted: predictions from `min_score` on by class.
        training: curves, if there is a log.
        no_analysis: why there is no analysis; empty if there is one.
        analysis: matches, intervals and breakdown.
        worst: samples with most errors, worst first.
        models: the comparison with another model, if one was asked for.
        suite: content of robustness.json, if there is one.
        modalities: content of modalities.json, if there is one.
        cards: the pictured samples, that of the head first.
        sample_names: scene and time of every sample of the split.
    """

    request: ReportRequest
    facts: Sequence[Tuple[str, str]]
    metrics: Metrics
    min_score: float
    truth: Mapping[str, int]
    predicted: Mapping[str, int]
    training: Optional[TrainingLog]
    no_analysis: str
    analysis: Optional[Analysis]
    worst: Sequence[SampleErrors]
    models: Optional[TwoModels]
    suite: Optional[Mapping[str, Any]]
    modalities: Optional[Sequence[Mapping[str, Any]]]
    cards: Sequence[Card]
    sample_names: Mapping[str, str]


def write_report(request: ReportRequest, out: Path) -> Report:
    """Writes the page and returns what it shows; inputs must be there, whole, and belong together."""
    report = collect_report(request)
    page = render(report)
    try:
        write_whole(out, page)
    except OSError as error:
        raise UserError(f'cannot write {out} ({error.strerror}); give a file in a folder that '
                        f'you may write to') from error
    return report


def collect_report(request: ReportRequest) -> Report:
    """Reads everything that the page shows."""
    metrics = read_metrics(request.metrics_dir)
    results_path = request.results or find_file(request.metrics_dir, RESULTS_NAMES)
    min_score = operating_score(metrics) if request.min_score is None else request.min_score
    results, predicted = count_results(results_path, min_score)
    training = (read_training_log(request.train_log) if request.train_log
                else find_training_log(request.metrics_dir))
    suite, modalities = read_robustness(request.metrics_dir, request.robustness)
    warn_of_another_model(metrics, suite)
    nusc = open_tables(data_root=request.dataroot, version=request.version, split=request.split)
    tokens_of_scene = split_tokens(nusc, request.split)
    check_tokens(request, tokens_of_scene, results)
    tokens = [token for found in tokens_of_scene.values() for token in found]
    no_analysis = why_no_analysis(nusc, tokens, results)
    analysis = None if no_analysis else analyse(
        results_path, nusc, request.split, metrics, resamples=request.resamples)
    models = compared_models(request, nusc, metrics, analysis, no_analysis)
    errors = [] if analysis is None else errors_by_sample(analysis.evaluated, analysis.matches, min_score)
    worst = worst_first(errors)
    chosen = choose_samples(request, tokens_of_scene, results, errors, worst, models)
    shown = [token for token, _ in chosen]
    truth = count_classes(truth_boxes(nusc, tokens)) if analysis is None else {
        boxes.name: len(boxes.annotations) for boxes in analysis.evaluated.classes}
    return Report(
        request=request, facts=head_facts(request, metrics, tokens_of_scene, training), metrics=metrics,
        min_score=min_score, truth=truth, predicted=predicted,
        training=training, no_analysis=no_analysis, analysis=analysis, worst=worst, models=models,
        suite=suite, modalities=modalities, sample_names=sample_names(nusc, tokens_of_scene),
        cards=read_cards(nusc, chosen, truth_boxes(nusc, shown), read_results(results_path, shown),
                         analysis, models, min_score))


def read_robustness(folder: Path, suite_file: Optional[Path] = None
                    ) -> Tuple[Optional[Mapping[str, Any]], Optional[Sequence[Mapping[str, Any]]]]:
    """Returns robustness.json, which may lie elsewhere, and modalities.json of a folder of metrics."""
    def first(names: Sequence[str]) -> Optional[Path]:
        return next((folder / name for name in names if (folder / name).is_file()), None)

    suite_path, modalities_path = suite_file or first(ROBUSTNESS_NAMES), first(MODALITIES_NAMES)
    suite = read_json(suite_path) if suite_path else None
    modalities = read_json(modalities_path) if modalities_path else None
    try:
        if suite is not None:
            suite_tables(suite), suite['untouched']
        if modalities is not None:
            modalities_table(modalities)
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f'{suite_path or modalities_path} is not a file of gemini3d robustness (no or wrong '
                        f'field {error}); measure again') from error
    return suite, modalities


def warn_of_another_model(metrics: Metrics, suite: Optional[Mapping[str, Any]]) -> None:
    """Says if the clean score of the suite is not that of the metrics.

    Args:
        metrics: the official figures.
        suite: content of robustness.json, if there is one.
    """
    clean = metrics.nds if suite is None else suite['clean']['NDS']
    if abs(clean - metrics.nds) > AP_TOLERANCE:
        print(f'warning: the robustness suite has the clean NDS {clean:.4f}, the metrics {metrics.nds:.4f}: '
              'another checkpoint, split or augmentation?', file=sys.stderr)


def compared_models(request: ReportRequest, nusc: NuScenes, metrics: Metrics,
                    analysis: Optional[Analysis], no_analysis: str) -> Optional[TwoModels]:
    """Returns the comparison with another model, if one is asked for; both must be matched."""
    if request.compare is None:
        return None
    if analysis is None:
        raise UserError(f'two models cannot be compared: {no_analysis}; leave --compare out')
    other_path = find_file(request.compare, RESULTS_NAMES)
    why_not = why_no_analysis(nusc, analysis.evaluated.tokens, count_results(other_path)[0])
    if why_not:
        raise UserError(f'{request.compare} cannot be compared: {why_not}; evaluate it on '
                        f'{request.split} of {request.version}')
    other_metrics = read_metrics(request.compare)
    other = analyse(other_path, nusc, request.split, other_metrics, resamples=request.resamples)
    return two_models((request.metrics_dir, request.compare), (metrics, other_metrics), (analysis, other))


def check_tokens(request: ReportRequest, tokens_of_scene: Mapping[str, Sequence[str]],
                 results: Mapping[str, int]) -> None:
    """Refuses predictions of other samples, and samples of another split."""
    known = {token for tokens in tokens_of_scene.values() for token in tokens}
    if not known & set(results):
        raise UserError(f'the predictions hold none of the samples of split {request.split!r} of '
                        f'{request.version}: check --version, --split and the results file')
    for token in request.sample_tokens:
        if token not in known:
            raise UserError(f'sample {token} is not in split {request.split!r} of '
                            f'{request.version}; give tokens of that split')


def head_facts(request: ReportRequest, metrics: Metrics, tokens_of_scene: Mapping[str, Sequence[str]],
               training: Optional[TrainingLog]) -> List[Tuple[str, str]]:
    """Returns what was evaluated, when, with which weights, as far as the work directory says it."""
    folder, samples = request.metrics_dir, sum(map(len, tokens_of_scene.values()))
    used = [name.removeprefix('use_') for name, is_used in metrics.modality.items() if is_used]
    words = {'lidar': 'LiDAR', 'external': 'external data'}
    run, code = read_run(folder), code_facts()
    changed = find_file(folder, SUMMARY_NAMES).stat().st_mtime
    configs = [Path(run['config'])] if run.get('config') else sorted(
        folder.glob('*.py'), key=lambda path: path.stat().st_mtime)
    facts = [
        ('dataset', f'{request.version}, {request.split}: {plural(len(tokens_of_scene), "scene")}, '
                    f'{plural(samples, "sample")}'),
        ('sensors', ' + '.join(words.get(name, name) for name in used) or NOTHING),
        ('evaluated', str(run.get('date') or datetime.fromtimestamp(changed, timezone.utc).date())[:10]),
        ('config', configs[-1].stem if configs else ''),
        ('checkpoint', Path((run.get('checkpoint') or {}).get('path', '')).name),
        ('test-time augmentation', ' '.join(run.get('test_time_augmentation') or ())),
        ('trained', training_words(training)),
        ('learned samples', overlap_sentence(run[LEARNED]) if run.get(LEARNED) else ''),
        ('code', f'{code["commit"][:7]}{" with changes" if code["is_dirty"] else ""}' if code else '')]
    return [(name, value) for name, value in facts if value]


def training_words(training: Optional[TrainingLog]) -> str:
    """Returns how many iterations were made, and how long they took."""
    if training is None or not training.losses.get('loss'):
        return ''
    text = plural(int(training.losses['loss'][-1][0]), 'iteration')
    if training.seconds is None:
        return text
    minutes = training.seconds / 60
    return f'{text} in {minutes:.0f} min' if minutes < 90 else f'{text} in {minutes / 60:.1f} h'


def choose_samples(request: ReportRequest, tokens_of_scene: Mapping[str, Sequence[str]],
                   results: Mapping[str, int], errors: Sequence[SampleErrors], worst: Sequence[SampleErrors],
                   models: Optional[TwoModels]) -> List[Tuple[str, str]]:
    """Returns tokens with the reason to show each, none twice; the first stands at the head of the page.

    Args:
        request: the user's tokens, then these alone, or how many.
        tokens_of_scene: samples of the split by scene.
        results: number of predictions by sample; only predicted samples are chosen.
        errors: of each sample, where they are known.
        worst: samples with errors, worst first.
        models: of the comparison; half as many of the most different as of the worst, at most two.
    """
    if request.sample_tokens:
        return [(token, 'Chosen') for token in request.sample_tokens]
    chosen: List[Tuple[str, str]] = []
    if errors and request.num_samples:
        best = max(errors, key=lambda one: (one.objects - one.missed - one.false_positives, one.token))
        chosen.append((best.token, 'Most objects found'))
    chosen += [(entry.token, 'Among the worst') for entry in worst[:request.num_worst]]
    if models is not None:
        chosen += [(row['sample_token'],
                    f'Most different: {plural(row["only_a"], "object")} found by {models.names[0]} alone, '
                    f'{row["only_b"]} by {models.names[1]} alone')
                   for row in models.objects['samples'][:min(MOST_DIFFERENT, (request.num_worst + 1) // 2)]]
    taken = {token for token, _ in chosen}
    left = {name: [token for token in tokens if token in results and token not in taken]
            for name, tokens in tokens_of_scene.items()}
    chosen += [(token, 'Evenly chosen over scenes and time') for token in choose_tokens(
        {name: tokens for name, tokens in left.items() if tokens}, request.num_samples - bool(errors))]
    return list({token: (token, reason) for token, reason in reversed(chosen)}.values())[::-1]


def read_cards(nusc: NuScenes, chosen: Sequence[Tuple[str, str]], truth: Mapping[str, Sequence],
               results: Records, analysis: Optional[Analysis], models: Optional[TwoModels], min_score: float
               ) -> List[Card]:
    """Reads and draws the chosen samples."""
    predictions = predicted_boxes(nusc, results, [token for token, _ in chosen])
    others = predictions_by_sample(models.analyses[1].evaluated, list(predictions)) if models else {}
    verdicts = analysis.verdicts if analysis else None
    cards = []
    for token, reason in chosen:
        sample = read_sample(nusc, token, truth=truth[token], predictions=worth_drawing(predictions[token]),
                             other_predictions=worth_drawing(others.get(token, ())), verdicts=verdicts)
        cards.append(Card(sample, reason, counts_text(sample, min_score), camera_views(sample, min_score),
                          bev_view(sample, min_score)))
    return cards


def worth_drawing(predictions: Sequence) -> List:
    """Returns the surest predictions.

    Args:
        predictions: best first.
    """
    return [box for box in predictions if box.detection_score >= LOWEST_SCORE][:MOST_PREDICTIONS]


def counts_text(sample: Sample, min_score: float) -> str:
    """Returns how many boxes a sample has, and what is wrong with them."""
    shown = sum(box.detection_score >= min_score for box in sample.predictions)
    text = f'{plural(len(sample.truth), "object")}, {plural(shown, "prediction")} from {min_score:.2f}'
    if sample.verdicts is None:
        return text
    missed = sum(sample.verdicts.found_from(box) < min_score for box in sample.truth)
    false = sum(box.detection_score >= min_score and sample.verdicts.is_false_positive(box)
                for box in sample.predictions)
    return f'{text}, {missed} missed, {false} false'


def without_matches(report: Report) -> str:
    """Returns which classes have no curve, and why."""
    names = [name for name in CLASS_NAMES if not any(
        len(curve.recall) for curve in report.metrics.curves.get(name, {}).values())]
    reasons = [('No match', [name for name in names if report.truth.get(name)]),
               ('Not in this split', [name for name in names if not report.truth.get(name)])]
    return ' '.join(f'{reason}: {", ".join(map(class_title, found))}.' for reason, found in reasons if found)


def suite_note(suite: Mapping[str, Any]) -> str:
    """Returns what the resistance abilities are, and what is missing from a whole suite."""
    means = ', '.join(f'{metric} {figure_text(suite["resistance"][metric]["mRA"])}' for metric in METRICS)
    partial = '' if suite['is_whole'] else ' Not the whole suite, so not the published mean.'
    untouched = ', '.join(map(condition_title, suite['untouched']))
    unread = f' Sensors that the model does not read: {untouched}.' if untouched else ''
    return (f'Resistance ability (RA) as MultiCorrupt defines it: the mean over severities of the share of '
            f'the clean score that is left. Mean over corruptions (mRA): {means}.{partial}{unread}')


def render(report: Report) -> str:
    """Returns the page: everything inside, every word escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True, loader=FileSystemLoader(TEMPLATES))
    metrics, analysis = report.metrics, report.analysis
    resampled = analysis.resampled if analysis else None
    notes = breakdown_notes(dict(analysis.breakdown)) if analysis else []
    context: Dict[str, Any] = dict(
        report=report, title=report.request.title, min_score=report.min_score, cards=report.cards,
        css=Markup((TEMPLATES / 'report.css').read_text()), js=Markup((TEMPLATES / 'report.js').read_text()),
        tiles=tiles(metrics, resampled), canvas=CANVAS, notes=notes,
        interval_note=notes[-1] if resampled else '',
        classes=class_table(metrics, CLASS_NAMES, report.truth, report.predicted, resampled),
        models=model_tables(report.models, CLASS_NAMES) if report.models else None,
        precision=precision_charts(metrics, CLASS_NAMES), errors=error_charts(metrics, CLASS_NAMES),
        distance_legend=legend(['0.5 m', '1 m', '2 m', '4 m'], DISTANCE_COLOURS),
        error_legend=legend(error_names(), COLOURS), without_matches=without_matches(report),
        parts=breakdown_tables(analysis.breakdown, CLASS_NAMES) if analysis else None,
        modalities=modalities_table(report.modalities) if report.modalities is not None else None,
        suite=suite_tables(report.suite) if report.suite is not None else None,
        suite_note=suite_note(report.suite) if report.suite is not None else '',
        training=training_charts(report.training) if report.training else [],
        worst=worst_table(report.worst) if report.worst else None,
        lowest_score=LOWEST_SCORE,
        scene=scenes_page([card.sample for card in report.cards], report.min_score, report.request.title),
        shown={card.sample.token for card in report.cards})
    return environment.get_template('report.html').render(context)
