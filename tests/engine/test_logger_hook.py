"""The file of a test's metrics: written by the first process alone."""
from types import SimpleNamespace

import pytest

from geminifusion3d.engine import GeminiLoggerHook


@pytest.mark.parametrize('rank, files', [(0, ['now.json']), (1, [])])
def test_the_first_process_alone_writes_the_metrics(tmp_path, monkeypatch, rank, files):
    monkeypatch.setattr('mmengine.dist.utils.get_rank', lambda group=None: rank)
    said = []
    runner = SimpleNamespace(
        log_dir=str(tmp_path), test_dataloader=[0], logger=SimpleNamespace(info=said.append),
        log_processor=SimpleNamespace(get_log_after_epoch=lambda *_, **__: ({'mAP': 0.5}, 'mAP: 0.5')))
    hook = GeminiLoggerHook()
    hook.json_log_path = 'now.json'
    hook.after_test_epoch(runner)
    assert [path.name for path in tmp_path.iterdir()] == files
    assert said == ['mAP: 0.5'] * len(files)
