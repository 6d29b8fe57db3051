"""Ground truth submitted as predictions: perfect where the data is whole, explained where not."""
import json
import shutil
from pathlib import Path

import pytest
from ten_objects import VERSION

from gemini_lab.analysis.ground_truth import annotated_splits, score_ground_truth
from geminifusion3d.errors import UserError
from geminifusion3d.results.devkit_eval import open_tables


def test_every_annotated_split_is_found_official_and_custom(tiny_root: Path) -> None:
    tables = open_tables(data_root=tiny_root, version=VERSION)
    assert annotated_splits(tables) == ['mini_train', 'mini_val', 'night']


@pytest.mark.parametrize('split', ['mini_val', 'night'])
def test_a_whole_split_is_perfect(tiny_root: Path, tmp_path: Path, split: str) -> None:
    tables = open_tables(data_root=tiny_root, version=VERSION)
    score = score_ground_truth(tables=tables, split=split, folder=tmp_path)
    assert score.is_perfect
    assert (score.n_boxes, score.absent_classes) == (20, ())  # the ghosts do not count


def test_objects_without_velocity_make_the_velocity_error_one(
        tiny_root: Path, tmp_path: Path) -> None:
    tables = open_tables(data_root=tiny_root, version=VERSION)
    score = score_ground_truth(tables=tables, split='mini_train', folder=tmp_path)
    assert score.evaluation.summary['mean_ap'] == pytest.approx(1)
    assert score.evaluation.summary['tp_errors']['vel_err'] == 1  # one sample: no velocity
    assert not score.is_perfect


def remove_annotations(root: Path, target: Path, kept: str) -> Path:
    """Copies the dataset with only those annotations whose token contains `kept`."""
    copy = Path(shutil.copytree(root, target))
    path = copy / VERSION / 'sample_annotation.json'
    rows = json.loads(path.read_text())
    path.write_text(json.dumps([row for row in rows if kept in row['token']]))
    return copy


def test_absent_classes_are_named(tiny_root: Path, tmp_path: Path) -> None:
    root = remove_annotations(tiny_root, tmp_path / 'copy', kept='0103car')
    tables = open_tables(data_root=root, version=VERSION)
    assert annotated_splits(tables) == ['mini_val', 'night']
    score = score_ground_truth(tables=tables, split='mini_val', folder=tmp_path)
    assert not score.is_perfect
    assert 'car' not in score.absent_classes and len(score.absent_classes) == 9


def test_a_split_whose_annotations_do_not_count_is_the_users_mistake(
        tiny_root: Path, tmp_path: Path) -> None:
    root = remove_annotations(tiny_root, tmp_path / 'copy', kept='ghost')
    tables = open_tables(data_root=root, version=VERSION)
    with pytest.raises(UserError, match="'mini_val' of v1.0-mini has no annotation that counts"):
        score_ground_truth(tables=tables, split='mini_val', folder=tmp_path)
