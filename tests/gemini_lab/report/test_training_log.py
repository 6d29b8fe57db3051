"""Training logs of this project and of mmengine."""
import json

import pytest

from gemini_lab.report.training_log import find_training_log, read_training_log
from geminifusion3d.errors import UserError


def write_scalars(folder, stamp, rows):
    path = folder / stamp / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text(''.join(json.dumps(row) + '\n' for row in rows))
    return path


def test_mmengines_log_gives_losses_scores_rate_and_time(tmp_path):
    path = write_scalars(tmp_path, '1', [
        {'lr': 0.1, 'loss': 4.0, 'task0.loss_bbox': 3.0, 'time': 1.5, 'epoch': 1, 'step': 10},
        {'nuScenes/mAP': 0.2, 'nuScenes/NDS': 0.3, 'time': 1.0, 'step': 1}])
    log = read_training_log(path)
    assert log.losses == {'loss': [(10.0, 4.0)], 'task0.loss_bbox': [(10.0, 3.0)]}
    assert log.scores == {'mAP': [(1.0, 0.2)], 'NDS': [(1.0, 0.3)]}
    assert log.rates == {'lr': [(10.0, 0.1)]}
    # Ten steps of 1.5 s; an evaluation's time is none of the training's.
    assert log.seconds == 15


def test_of_a_step_that_was_repeated_the_last_value_counts(tmp_path):
    write_scalars(tmp_path, '20260101', [{'loss': 4.0, 'step': 1}, {'loss': 3.0, 'step': 2}])
    write_scalars(tmp_path, '20260102', [{'loss': 2.5, 'step': 2}, {'loss': 2.0, 'step': 3}])
    assert read_training_log(tmp_path).losses['loss'] == [(1.0, 4.0), (2.0, 2.5), (3.0, 2.0)]


def test_exact_losses_replace_mmengines_and_its_scores_stay(tmp_path):
    write_scalars(tmp_path, '1', [{'loss': 9.0, 'step': 1}, {'mAP': 0.5, 'step': 1}])
    (tmp_path / 'loss_curve.jsonl').write_text('{"epoch": 1, "iter": 1, "lr": 0.1, "loss": 4.5}\n')
    log = read_training_log(tmp_path)
    assert log.losses == {'loss': [(1.0, 4.5)]}
    assert log.scores == {'mAP': [(1.0, 0.5)]}


def test_a_half_written_last_line_is_left_out(tmp_path):
    text = '{"iter": 1, "loss": 3}\n{"iter": 2, "loss": 2}\n{"iter": 3, "lo'
    (tmp_path / 'loss_curve.jsonl').write_text(text)
    assert find_training_log(tmp_path).losses['loss'] == [(1.0, 3.0), (2.0, 2.0)]


def test_the_scores_of_a_test_alone_are_no_training(tmp_path):
    assert find_training_log(tmp_path) is None
    write_scalars(tmp_path, '1', [{'nuScenes/mAP': 0.2, 'time': 1.0, 'step': 1}])
    assert find_training_log(tmp_path) is None


def test_a_loss_that_is_not_finite_is_left_out(tmp_path):
    path = write_scalars(tmp_path, '1', [{'loss': float('nan'), 'step': 1},
                                         {'loss': 1.0, 'step': 2}])
    assert read_training_log(path).losses['loss'] == [(2.0, 1.0)]


def test_a_broken_line_in_the_middle_is_named(tmp_path):
    (tmp_path / 'a.json').write_text('{"iter": 1, "loss": 3}\n{"it\n{"iter": 3, "loss": 1}\n')
    with pytest.raises(UserError, match='line 2, is damaged'):
        read_training_log(tmp_path / 'a.json')


def test_missing_logs_say_what_to_give(tmp_path):
    with pytest.raises(UserError, match='does not exist'):
        read_training_log(tmp_path / 'nowhere')
    with pytest.raises(UserError, match='loss_curve.jsonl'):
        read_training_log(tmp_path)
