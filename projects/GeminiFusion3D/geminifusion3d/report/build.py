"""The whole report in one call: read, choose, draw, write."""
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from nuscenes import NuScenes

from ..atomic import atomic_write
from ..classes import CLASS_NAMES
from ..errors import UserError
from .boxes import count_classes, count_predictions, predicted_boxes, read_results, truth_boxes
from .metric_files import RESULTS_NAMES, find_file, operating_score, read_metrics
from .page import Report, render
from .samples import Sample, read_sample
from .selection import choose_tokens, open_dataset, split_tokens
from .tables import modality_text
from .training_log import read_training_log

# Below this, hundreds of boxes per sample would only make the page large; the slider reaches it.
LOWEST_SCORE = 0.05
MOST_PREDICTIONS = 100


@dataclass(frozen=True, kw_only=True)
class ReportRequest:
    """What the user asks for; paths are shown as they were given."""

    metrics_dir: Path
    dataroot: Path
    version: str
    split: str
    results: Optional[Path] = None
    train_log: Optional[Path] = None
    num_samples: int = 6
    sample_tokens: Sequence[str] = ()
    title: str = 'Camera-LiDAR 3D detection'
    facts: Sequence[Tuple[str, str]] = ()
    min_score: Optional[float] = None


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
    results = read_results(request.results or find_file(request.metrics_dir, RESULTS_NAMES))
    training = read_training_log(request.train_log) if request.train_log else None
    nusc = open_dataset(request.dataroot, request.version)
    tokens_of_scene = split_tokens(nusc, request.split)
    tokens = [token for found in tokens_of_scene.values() for token in found]
    truth = truth_boxes(nusc, tokens)
    min_score = operating_score(metrics) if request.min_score is None else request.min_score
    samples = read_samples(nusc, chosen_tokens(request, tokens_of_scene, results), truth, results)
    facts = [('dataset', request.version), ('split', request.split),
             ('scenes', str(len(tokens_of_scene))), ('samples', str(len(tokens))),
             ('sensors used', modality_text(metrics.modality)), *request.facts]
    return Report(title=request.title, facts=facts, class_names=CLASS_NAMES, metrics=metrics,
                  truth_counts=count_classes(truth),
                  prediction_counts=count_predictions(results, min_score),
                  training=training, samples=samples, min_score=min_score)


def chosen_tokens(request: ReportRequest, tokens_of_scene: Mapping[str, Sequence[str]],
                  results: Mapping[str, Any]) -> List[str]:
    """Returns the samples to show: the user's, or some spread over the predicted scenes.

    Raises:
        UserError: if the predictions are of other samples, or the user's samples of another split.
    """
    predicted: Dict[str, List[str]] = {
        name: [token for token in tokens if token in results]
        for name, tokens in tokens_of_scene.items()}
    predicted = {name: tokens for name, tokens in predicted.items() if tokens}
    if not predicted:
        raise UserError(f'the predictions hold none of the samples of split {request.split!r} of '
                        f'{request.version}: check --version, --split and the results file')
    if request.sample_tokens:
        known = {token for tokens in tokens_of_scene.values() for token in tokens}
        for token in request.sample_tokens:
            if token not in known:
                raise UserError(f'sample {token} is not in split {request.split!r} of '
                                f'{request.version}; give tokens of that split')
        return list(request.sample_tokens)
    return choose_tokens(predicted, request.num_samples)


def read_samples(nusc: NuScenes, tokens: Sequence[str], truth: Mapping[str, Any],
                 results: Mapping[str, Any]) -> List[Sample]:
    """Reads the chosen samples with their boxes."""
    predictions = predicted_boxes(nusc, results, tokens)
    return [read_sample(nusc, token, truth=truth[token],
                        predictions=[box for box in predictions[token]
                                     if box.detection_score >= LOWEST_SCORE][:MOST_PREDICTIONS])
            for token in tokens]
