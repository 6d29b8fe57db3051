"""Official labels and a stranger's predictions: all the devkit's numbers that the stranger published."""
import json
import math
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Tuple

import pytest
from nuscenes import NuScenes
from real_data import real_data

from geminifusion3d.results.devkit_eval import evaluate_file, open_tables
from geminifusion3d.results.nuscenes_metric import flat_metrics
from geminifusion3d.submission.split_samples import read_split_samples
from geminifusion3d.submission.submission import read_meta, read_samples, write_submission
from geminifusion3d.submission.validation import validate_file

VERSION, SPLIT = 'v1.0-mini', 'mini_val'


@pytest.fixture(scope='module')
def tables() -> NuScenes:
    """The official ground truth of mini_val."""
    return open_tables(data_root=real_data('nuscenes_mini_val_tables'), version=VERSION)


@pytest.fixture
def published() -> Tuple[Path, Dict[str, Any]]:
    """The results file and the summary that its authors published."""
    folder = real_data('third_party_submission')
    return folder / 'results_nusc.json', json.loads((folder / 'metrics_summary.json').read_text())


def numbers(content: Any, place: Tuple[str, ...] = ()) -> Iterator[Tuple[Tuple[str, ...], Optional[float]]]:
    """Yields every number that a summary says of the predictions; None where it is not defined."""
    if isinstance(content, dict):
        for key, value in content.items():
            if key not in ('cfg', 'eval_time', 'meta'):
                yield from numbers(value, (*place, str(key)))
    else:
        yield place, None if content is None or math.isnan(content) else content


def check_all_numbers(found: Dict[str, Any], expected: Dict[str, Any]) -> None:
    wanted, got = dict(numbers(expected)), dict(numbers(found))
    assert set(got) == set(wanted) and len(wanted) == 112
    for place, value in wanted.items():
        assert got[place] == (value if value is None else pytest.approx(value, abs=1e-9)), place


def test_all_numbers_of_the_summary_are_the_published_ones(tables: NuScenes, published: Any) -> None:
    path, expected = published
    summary = evaluate_file(result_path=path, tables=tables, split=SPLIT).summary
    check_all_numbers(summary, expected)
    metrics = flat_metrics(summary)
    assert metrics['mAP'] == pytest.approx(0.07551617930781714, abs=1e-9)
    assert metrics['NDS'] == pytest.approx(0.10336284386435349, abs=1e-9)


def test_a_copy_through_our_reader_and_writer_scores_the_same(
        tables: NuScenes, published: Any, tmp_path: Path) -> None:
    path, expected = published
    split = read_split_samples(data_root=tables.dataroot, version=VERSION, split=SPLIT)
    verdict = validate_file(path, split)
    assert (verdict.n_samples, verdict.n_boxes, verdict.server_refuses) == (81, 905, False)
    assert verdict.is_valid
    write_submission(tmp_path / 'copy.json', meta=read_meta(path), samples=read_samples(path),
                     expected=split.ego_xy_global_m)
    copied = evaluate_file(result_path=tmp_path / 'copy.json', tables=tables, split=SPLIT)
    check_all_numbers(copied.summary, expected)


def test_a_box_far_away_and_a_sample_that_is_missing_are_noticed(
        tables: NuScenes, published: Any, tmp_path: Path) -> None:
    content = json.loads(published[0].read_text())
    token = next(token for token, records in content['results'].items() if records)
    content['results'][token][0]['translation'][0] += 300.0
    del content['results'][next(other for other in content['results'] if other != token)]
    (tmp_path / 'r.json').write_text(json.dumps(content))
    verdict = validate_file(tmp_path / 'r.json', read_split_samples(
        data_root=tables.dataroot, version=VERSION, split=SPLIT))
    assert {'far-from-ego', 'missing-sample'} <= {finding.rule for finding in verdict.findings}
