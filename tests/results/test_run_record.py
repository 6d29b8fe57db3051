"""The clock counts what the model does and not what reading does; a record belongs to its results."""
import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import List

import pytest
from ten_objects import META, write_infos

from geminifusion3d.atomic import SEAL, write_json
from geminifusion3d.errors import UserError
from geminifusion3d.learned_samples import LEARNED, Overlap, SampleRecord
from geminifusion3d.results import run_record
from geminifusion3d.results.nuscenes_metric import GeminiNuScenesMetric
from geminifusion3d.results.run_record import (WARM_UP_BATCHES, InferenceClock, RunRecordHook, hardware,
                                               made_with, read_record)


def test_run(work_dir: Path, *metrics: GeminiNuScenesMetric) -> SimpleNamespace:
    """What the hook sees of a run."""
    return SimpleNamespace(work_dir=str(work_dir), cfg=SimpleNamespace(filename='recipe.py'),
                           test_evaluator=SimpleNamespace(metrics=metrics))


test_run.__test__ = False


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch):
    """Has a clock see batches of the given seconds, with a long time to read between them."""
    def run_batches(clock: InferenceClock, seconds: List[float], samples: int = 1) -> InferenceClock:
        now = SimpleNamespace(s=0.0)
        monkeypatch.setattr(run_record, 'perf_counter', lambda: now.s)
        InferenceClock.before_test(clock, None)
        for second in seconds:
            now.s += 100.0
            clock.before_test_iter(None, 0)
            now.s += second
            clock.after_test_iter(None, 0, outputs=[object()] * samples)
        return clock
    return run_batches


def test_the_rate_is_samples_by_seconds_without_reading(run) -> None:
    speed = run(InferenceClock(), [0.5, 0.25, 0.25], samples=2).speed()
    assert (speed['fps_hz'], speed['samples']) == (6.0, 6)
    assert 'no reading of files' in speed['includes']


def test_the_first_batches_are_left_out_where_there_are_enough(run) -> None:
    few = [9.0] * WARM_UP_BATCHES + [0.5] * WARM_UP_BATCHES
    assert run(InferenceClock(), few).speed()['samples'] == len(few)
    speed = run(InferenceClock(), few + [0.5]).speed()
    assert (speed['fps_hz'], speed['samples']) == (2.0, WARM_UP_BATCHES + 1)


def test_a_run_without_samples_has_no_rate(run) -> None:
    assert run(InferenceClock(), []).speed()['fps_hz'] is None


@pytest.fixture
def recorded(tmp_path: Path, run) -> Path:
    """The results file of a test run with its record."""
    (tmp_path / 'epoch_1.pth').write_bytes(b'weights')
    (tmp_path / 'results_nusc.json').write_text('{}')
    hook = run(RunRecordHook(checkpoint=str(tmp_path / 'epoch_1.pth'), tta=['flip']), [0.5])
    hook.after_test(test_run(tmp_path))
    return tmp_path / 'results_nusc.json'


def test_a_record_says_what_made_the_results(recorded: Path) -> None:
    found = read_record(recorded)
    assert found['checkpoint']['sha256'] == hashlib.sha256(b'weights').hexdigest()
    assert found['test_time_augmentation'] == ['flip']
    assert found['inference']['fps_hz'] == 2.0 and found['inference']['processes'] == 1
    assert set(found) == set(made_with(None, (), None)) and 'cpu' in found['inference']['hardware']


def test_a_record_says_how_many_scored_samples_were_learned(tmp_path: Path, run) -> None:
    (tmp_path / 'results_nusc.json').write_text('{}')
    hook, runner = run(RunRecordHook(checkpoint='a.pth'), [0.5]), test_run(tmp_path)
    runner.overlap = Overlap.between(SampleRecord.of('val', 'abc'), SampleRecord.of('train', 'bcd'))
    hook.after_test(runner)
    found = read_record(tmp_path / 'results_nusc.json')[LEARNED]
    assert found == dict(scored=3, learned=2, sources=['train (3 samples)'], unknown=[])


def test_a_record_of_an_earlier_version_compared_nothing(recorded: Path) -> None:
    content = json.loads(recorded.with_name('test_run.json').read_text())
    del content[LEARNED], content[SEAL]
    write_json(recorded.with_name('test_run.json'), content, sealed=True)
    assert read_record(recorded)[LEARNED] is None


def test_results_that_changed_after_the_run_are_refused(recorded: Path, tmp_path: Path) -> None:
    recorded.write_text('{ }')
    with pytest.raises(UserError, match='its SHA-256 differs'):
        read_record(recorded)
    assert read_record(tmp_path / 'elsewhere' / 'results_nusc.json') is None


def test_a_new_run_begins_without_the_record_of_the_last(recorded: Path, run) -> None:
    RunRecordHook(checkpoint='a.pth').before_test(test_run(recorded.parent))
    assert read_record(recorded) is None


def test_a_record_names_the_dataset_that_was_scored(tmp_path: Path, tiny_root: Path, run) -> None:
    infos = write_infos(tmp_path / 'i.pkl')
    metric = GeminiNuScenesMetric(data_root=str(tiny_root), ann_file=str(infos), meta=META)
    (tmp_path / 'results_nusc.json').write_text('{}')
    RunRecordHook(checkpoint='a.pth').after_test(test_run(tmp_path, metric))
    assert json.loads((tmp_path / 'test_run.json').read_text())['dataset'] == {
        'dataroot': str(tiny_root), 'version': 'v1.0-mini', 'split': 'mini_val'}


def test_the_hardware_is_named() -> None:
    found = hardware()
    assert set(found) == {'gpu', 'cpu', 'cpu_threads'} and found['cpu_threads'] >= 1
    count, _, name = found['cpu'].partition(' x ')
    assert int(count) >= 1 and name


@pytest.mark.parametrize('text', ['{', '[]', '{"results": {}}', '{"results": {"sha256": ""}}'])
def test_a_broken_record_is_named(recorded: Path, text: str) -> None:
    recorded.with_name('test_run.json').write_text(text)
    with pytest.raises(UserError, match='test_run.json is not what gemini3d test writes'):
        read_record(recorded)


def test_a_run_that_kept_no_results_leaves_no_record(tmp_path: Path, run) -> None:
    run(RunRecordHook(checkpoint=str(tmp_path / 'a.pth')), [0.5]).after_test(
        test_run(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_the_record_is_strict_json(recorded: Path) -> None:
    content = json.loads(recorded.with_name('test_run.json').read_text())
    assert content['results']['sha256'] == hashlib.sha256(b'{}').hexdigest()
