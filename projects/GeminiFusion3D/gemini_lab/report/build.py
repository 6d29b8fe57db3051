"""The whole report in one call: read, match, choose, draw, write."""
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from nuscenes import NuScenes

from geminifusion3d.atomic import atomic_write
from geminifusion3d.nuscenes_facts import CLASS_NAMES
from geminifusion3d.errors import UserError
from .analysis import Analysis, analyse, why_no_analysis
from .boxes import count_classes, count_predictions, read_results, truth_boxes
from .card_choice import choose_cards
from .cards import CardBoxes, read_cards
from .metric_files import RESULTS_NAMES, Metrics, find_file, operating_score, read_metrics
from .page import Report, render
from .robustness_section import read_robustness
from .selection import open_dataset, sample_names, split_tokens
from .tables import modality_text
from .training_log import read_training_log
from .two_models import TwoModels, two_models
from .verdicts import errors_by_sample, worst_first


@dataclass(frozen=True, kw_only=True)
class ReportRequest:
    """What the user asks for; paths are shown as they were given.

    Attributes:
        metrics_dir: what evaluation left.
        dataroot: of the dataset.
        version: of its tables.
        split: official or custom.
        results: predictions, if they are not in metrics_dir.
        train_log: log or work directory of the training.
        num_samples: how many samples to show, spread over the scenes.
        num_worst: how many of the worst samples to show besides.
        sample_tokens: the samples to show instead of both.
        title: of the page.
        facts: more lines of its head.
        min_score: predictions below it start hidden; None for the score of the best F1.
        resamples: bootstrap resamples of the scenes; 0 for no intervals.
        breakdown: a file of tools/breakdown.py, instead of computing it.
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
    facts: Sequence[Tuple[str, str]] = ()
    min_score: Optional[float] = None
    resamples: int = 100
    breakdown: Optional[Path] = None
    robustness: Optional[Path] = None
    compare: Optional[Path] = None


def write_report(request: ReportRequest, out: Path) -> Report:
    """Writes the page and returns what it shows.

    Raises:
        UserError: if an input is missing, broken, or does not belong to the others.
    """
    report = collect_report(request)
    page = render(report)
    try:
        with atomic_write(out) as part:
            part.write_text(page, encoding='utf-8')
    except OSError as error:
        raise UserError(f'cannot write {out} ({error.strerror}); give a file in a folder that '
                        f'you may write to') from error
    return report


def collect_report(request: ReportRequest) -> Report:
    """Reads everything that the page shows."""
    metrics = read_metrics(request.metrics_dir)
    results_path = request.results or find_file(request.metrics_dir, RESULTS_NAMES)
    results = read_results(results_path)
    training = read_training_log(request.train_log) if request.train_log else None
    robustness = read_robustness(request.metrics_dir, request.robustness)
    nusc = open_dataset(request.dataroot, request.version)
    tokens_of_scene = split_tokens(nusc, request.split)
    check_tokens(request, tokens_of_scene, results)
    min_score = operating_score(metrics) if request.min_score is None else request.min_score
    tokens = [token for found in tokens_of_scene.values() for token in found]
    no_analysis = why_no_analysis(nusc, tokens, results)
    analysis = None if no_analysis else analyse(
        results_path, nusc, request.split, metrics, resamples=request.resamples,
        breakdown_path=request.breakdown)
    models = compared_models(request, nusc, metrics, analysis, no_analysis)
    worst = ([] if analysis is None else
             worst_first(errors_by_sample(analysis.evaluated, analysis.matches, min_score)))
    chosen = choose_cards(request.sample_tokens, request.num_samples, request.num_worst,
                          tokens_of_scene, results, worst, models)
    boxes = CardBoxes(truth=truth_boxes(nusc, tokens), results=results, analysis=analysis, models=models)
    return Report(
        title=request.title, facts=head_facts(request, metrics, tokens_of_scene),
        class_names=CLASS_NAMES, metrics=metrics, truth_counts=count_classes(boxes.truth),
        prediction_counts=count_predictions(results, min_score), training=training,
        cards=read_cards(nusc, chosen, boxes), min_score=min_score, no_analysis=no_analysis,
        analysis=analysis, worst=worst, models=models, robustness=robustness,
        sample_names=sample_names(nusc, tokens_of_scene))


def compared_models(request: ReportRequest, nusc: NuScenes, metrics: Metrics,
                    analysis: Optional[Analysis], no_analysis: str) -> Optional[TwoModels]:
    """Returns the comparison with another model, if one is asked for.

    Raises:
        UserError: if the predictions of one of the two cannot be matched.
    """
    if request.compare is None:
        return None
    if analysis is None:
        raise UserError(f'two models cannot be compared: {no_analysis}; leave --compare out')
    other_path = find_file(request.compare, RESULTS_NAMES)
    why_not = why_no_analysis(nusc, analysis.evaluated.tokens, read_results(other_path))
    if why_not:
        raise UserError(f'{request.compare} cannot be compared: {why_not}; evaluate it on '
                        f'{request.split} of {request.version}')
    other_metrics = read_metrics(request.compare)
    other = analyse(other_path, nusc, request.split, other_metrics, resamples=request.resamples)
    return two_models((request.metrics_dir, request.compare), (metrics, other_metrics),
                      (analysis, other))


def check_tokens(request: ReportRequest, tokens_of_scene: Mapping[str, Sequence[str]],
                 results: Mapping[str, Any]) -> None:
    """Refuses predictions of other samples, and samples of another split.

    Raises:
        UserError: with what to check.
    """
    known = {token for tokens in tokens_of_scene.values() for token in tokens}
    if not known & set(results):
        raise UserError(f'the predictions hold none of the samples of split {request.split!r} of '
                        f'{request.version}: check --version, --split and the results file')
    for token in request.sample_tokens:
        if token not in known:
            raise UserError(f'sample {token} is not in split {request.split!r} of '
                            f'{request.version}; give tokens of that split')


def head_facts(request: ReportRequest, metrics: Metrics, tokens_of_scene: Mapping[str, Sequence[str]]
               ) -> List[Tuple[str, str]]:
    """Returns the lines of the page's head."""
    counts: Dict[str, int] = {name: len(tokens) for name, tokens in tokens_of_scene.items()}
    return [('dataset', request.version), ('split', request.split), ('scenes', str(len(counts))),
            ('samples', str(sum(counts.values()))), ('sensors used', modality_text(metrics.modality)),
            *request.facts]
