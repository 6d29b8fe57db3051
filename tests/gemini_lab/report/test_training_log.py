"""Training logs of every accepted form."""
import json

import pytest

from geminifusion3d.errors import UserError
from gemini_lab.report.training_log import read_training_log


def write_scalars(folder, stamp, rows):
    path = folder / stamp / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text(''.join(json.dumps(row) + '\n' for row in rows))
    return path


def test_the_hosts_log_gives_losses_scores_and_rate(tmp_path):
    path = write_scalars(tmp_path, '1', [
        {'lr': 0.1, 'loss': 4.0, 'task0.loss_bbox': 3.0, 'time': 1.5, 'epoch': 1, 'step': 10},
        {'nuScenes/mAP': 0.2, 'nuScenes/NDS': 0.3, 'time': 1.0, 'step': 1}])
    log = read_training_log(path)
    assert log.losses == {'loss': [(10.0, 4.0)], 'task0.loss_bbox': [(10.0, 3.0)]}
    assert log.scores == {'mAP': [(1.0, 0.2)], 'NDS': [(1.0, 0.3)]}
    assert log.rates == {'lr': [(10.0, 0.1)]}


def test_a_resumed_run_has_the_last_word_on_a_step(tmp_path):
    write_scalars(tmp_path, '20260101', [{'loss': 4.0, 'step': 1}, {'loss': 3.0, 'step': 2}])
    write_scalars(tmp_path, '20260102', [{'loss': 2.5, 'step': 2}, {'loss': 2.0, 'step': 3}])
    assert read_training_log(tmp_path).losses['loss'] == [(1.0, 4.0), (2.0, 2.5), (3.0, 2.0)]


def test_exact_losses_replace_the_hosts_and_its_scores_stay(tmp_path):
    write_scalars(tmp_path, '1', [{'loss': 9.0, 'step': 1}, {'mAP': 0.5, 'step': 1}])
    (tmp_path / 'losses.jsonl').write_text('{"epoch": 1, "iter": 1, "lr": 0.1, "loss": 4.5}\n')
    log = read_training_log(tmp_path)
    assert log.losses == {'loss': [(1.0, 4.5)]}
    assert log.scores == {'mAP': [(1.0, 0.5)]}


@pytest.mark.parametrize('name, text', [
    ('a.json', '[{"iter": 1, "loss": 3}, {"iter": 2, "loss": 2}]'),
    ('a.json', '[3, 2]'),
    ('a.json', '[[1, 3], [2, 2]]'),
    ('a.json', '{"loss": [3, 2]}'),
    ('a.json', '{"iter": [1, 2], "loss": [3, 2]}'),
    ('a.json', '{"curve": [{"step": 1, "loss": 3}, {"step": 2, "loss": 2}]}'),
    ('a.csv', 'iter,loss\n1,3\n2,2\n'),
    ('a.jsonl', '{"iter": 1, "loss": 3}\n{"iter": 2, "loss": 2}\n{"iter": 3, "lo'),
])
def test_loss_curves_come_in_several_forms(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert read_training_log(tmp_path / name).losses['loss'] == [(1.0, 3.0), (2.0, 2.0)]


def test_a_loss_that_is_not_finite_is_left_out(tmp_path):
    path = write_scalars(tmp_path, '1', [{'loss': float('nan'), 'step': 1},
                                         {'loss': 1.0, 'step': 2}])
    assert read_training_log(path).losses['loss'] == [(2.0, 1.0)]


def test_a_broken_line_in_the_middle_is_named(tmp_path):
    (tmp_path / 'a.json').write_text('{"iter": 1, "loss": 3}\n{"it\n{"iter": 3, "loss": 1}\n')
    with pytest.raises(UserError, match='line 2 is not JSON'):
        read_training_log(tmp_path / 'a.json')


def test_missing_logs_say_what_to_give(tmp_path):
    with pytest.raises(UserError, match='does not exist'):
        read_training_log(tmp_path / 'nowhere')
    with pytest.raises(UserError, match='losses.jsonl'):
        read_training_log(tmp_path)
    (tmp_path / 'losses.jsonl').write_text('{"iter": 1}\n')
    with pytest.raises(UserError, match='no training loss'):
        read_training_log(tmp_path)
