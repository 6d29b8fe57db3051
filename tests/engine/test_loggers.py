"""Curves in TensorBoard by the config line of docs/python.md."""
import re
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from toy_training import run_train, write_config

PAGE = Path(__file__).resolve().parents[2] / 'docs' / 'python.md'


def test_the_documented_line_writes_curves(tmp_path: Path) -> None:
    # Recipes inherit the type.
    shown = re.search(r'^visualizer = dict\((.*Tensorboard.*)\)$', PAGE.read_text(), re.MULTILINE)[1]
    run_train(write_config(tmp_path, extra=f'visualizer.update({shown})\n'), tmp_path / 'run')
    events, = (tmp_path / 'run').rglob('events.out.tfevents.*')
    found = EventAccumulator(str(events.parent)).Reload()
    # 4 epochs of 4 iterations, logged every 2.
    assert [event.step for event in found.Scalars('loss')] == [2, 4, 6, 8, 10, 12, 14, 16]
    assert list((tmp_path / 'run').rglob('scalars.json'))
