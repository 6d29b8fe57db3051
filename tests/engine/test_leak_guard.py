"""Three planted leaks: pasted objects that are scored, training samples that are scored, trainval on val."""
import json
from pathlib import Path
from typing import List

import pytest
import torch
from mmdet3d.registry import DATASETS
from toy_training import ToyDataset, run_test, run_train, write_config

from geminifusion3d.checkpoints.checkpoint_file import read_checkpoint
from geminifusion3d.commands.main import parse
from geminifusion3d.commands.train_and_test import train_config
from geminifusion3d.errors import UserError
from geminifusion3d.info_file import write_info_file
from geminifusion3d.learned_samples import LEARNED, SampleRecord
from geminifusion3d.sensors.object_database import FORMAT, write_metainfo

TRAIN, VAL = [f't{index}' for index in range(8)], [f'v{index}' for index in range(7)]


@DATASETS.register_module()
class NamedToyDataset(ToyDataset):
    """Points that have names."""

    def __init__(self, *, names: List[str]) -> None:
        super().__init__(length=len(names))
        self.names = names

    def sample_record(self) -> SampleRecord:
        """Returns the names."""
        return SampleRecord.of('toy', self.names)


def config(folder: Path, train: List[str], val: List[str], extra: str = '') -> Path:
    """Writes a config with these samples."""
    return write_config(folder, extra=''.join(
        f"{loader}_dataloader['dataset'] = dict(type='NamedToyDataset', names={names})\n"
        for loader, names in (('train', train), ('val', val), ('test', val))) + extra)


def learned(path: Path) -> SampleRecord:
    return SampleRecord.read(read_checkpoint(path)['meta'][LEARNED], 'none')


def said(folder: Path) -> str:
    """Returns everything that the logs of a run say about learned samples."""
    return '\n'.join(line for log in sorted(folder.rglob('*.log')) for line in log.read_text().splitlines()
                     if 'scored samples' in line)


def test_a_clean_pair_raises_no_alarm(tmp_path):
    recipe = config(tmp_path, TRAIN, VAL)
    assert run_train(recipe, tmp_path / 'run') == 0
    run_test(recipe, tmp_path / 'run' / 'epoch_4.pth', tmp_path / 'test')
    assert learned(tmp_path / 'run' / 'epoch_4.pth') == SampleRecord.of('toy', TRAIN)
    assert said(tmp_path) == ''


def test_a_checkpoint_that_is_scored_on_its_training_samples_says_so_and_trains(tmp_path):
    recipe = config(tmp_path, TRAIN, TRAIN)
    assert run_train(recipe, tmp_path / 'run') == 0
    assert '8 of 8 scored samples were learned (from toy (8 samples))' in said(tmp_path / 'run')
    run_test(recipe, tmp_path / 'run' / 'epoch_4.pth', tmp_path / 'test')
    assert 'WARNING' in said(tmp_path / 'test') and '8 of 8 scored' in said(tmp_path / 'test')


def test_training_on_trainval_shows_when_val_is_scored(tmp_path):
    whole = config(tmp_path, TRAIN + VAL[:4], VAL, 'val_dataloader = val_evaluator = val_cfg = None\n')
    assert run_train(whole, tmp_path / 'run') == 0 and said(tmp_path / 'run') == ''
    run_test(whole, tmp_path / 'run' / 'epoch_4.pth', tmp_path / 'test')
    assert '4 of 7 scored samples were learned (from toy (12 samples))' in said(tmp_path / 'test')


def test_what_a_training_began_with_counts_and_a_resumed_one_forgets_nothing(tmp_path):
    (tmp_path / 'first').mkdir()
    first = config(tmp_path / 'first', VAL[:2], VAL[5:], 'train_cfg["max_epochs"] = 1\n')
    run_train(first, tmp_path / 'first' / 'run')
    weights = tmp_path / 'first' / 'run' / 'epoch_1.pth'
    second = config(tmp_path, TRAIN, VAL)
    stop = "custom_hooks.append(dict(type='ToyInterruptHook', at_iter=9))\n"
    config(tmp_path, TRAIN, VAL, stop)
    assert run_train(second, tmp_path / 'run', '--cfg-options', f'load_from={weights}') == 130
    assert learned(tmp_path / 'run' / 'epoch_2.pth').digests == SampleRecord.of('', TRAIN + VAL[:2]).digests
    assert '2 of 7 scored' in said(tmp_path / 'run')
    # The part of val that the first has learned stays learned by another dataset's training.
    third = config(tmp_path, [f'new{index}' for index in range(8)], VAL)
    assert run_train(third, tmp_path / 'run', '--resume', 'auto') == 0
    final = learned(tmp_path / 'run' / 'epoch_4.pth')
    assert len(final.digests) == 8 + 2 + 8 and final.unknown == ()


def test_an_old_checkpoint_is_unknown_once_and_stays_so(tmp_path, capfd):
    recipe = config(tmp_path, TRAIN, VAL)
    run_train(recipe, tmp_path / 'run')
    old = torch.load(tmp_path / 'run' / 'epoch_4.pth', weights_only=False)
    del old['meta'][LEARNED]
    path = tmp_path / 'without_record.pth'
    torch.save(old, path)
    for name in ('test', 'again'):
        run_test(recipe, path, tmp_path / name)
    sentence = f'unknown whether scored samples were learned: {path.name} has no record'
    assert said(tmp_path / 'test').count(sentence) == 1
    assert said(tmp_path / 'again') == ''
    run_train(recipe, tmp_path / 'on', '--cfg-options', f'load_from={path}')
    assert learned(tmp_path / 'on' / 'epoch_4.pth').unknown == (path.name,)


def test_datasets_without_names_are_unknown(tmp_path):
    recipe = write_config(tmp_path)
    run_train(recipe, tmp_path / 'run')
    assert learned(tmp_path / 'run' / 'epoch_4.pth').unknown == ('a ToyDataset',)
    assert said(tmp_path) == ''


@pytest.fixture
def pasting(tmp_path: Path) -> Path:
    """A config that pastes from a database of a split of its own name, and validates on two samples."""
    with open(tmp_path / 'geminifusion3d_infos_val.pkl', 'wb') as file:
        write_info_file(file, dict(categories={'car': 0}, dataset='nuscenes', version='v', split='val'),
                        [dict(token=token) for token in ('a', 'b')])
    return write_config(tmp_path, extra=f'''
train_dataloader['dataset'] = dict(type='ToyDataset', length=8, pipeline=[
    dict(type='GeminiSampleObjects', database={str(tmp_path / "db")!r}, sweeps_num=0)])
val_dataloader['dataset'].update(data_root={str(tmp_path)!r}, ann_file='geminifusion3d_infos_val.pkl')
''')


def write_database(folder: Path, *names: str) -> None:
    """Writes a database without objects that were cut from these samples of the split `mine`."""
    folder.mkdir()
    write_metainfo(folder, dict(
        format=FORMAT, dataset='nuscenes', version='v', split='mine', sweeps_num=0, remove_close_m=1.0,
        num_objects={}, **{LEARNED: SampleRecord.of('v mine', names).to_plain()}))


def test_objects_of_scored_samples_are_not_pasted_unless_asked_for(pasting, tmp_path):
    write_database(tmp_path / 'db', 'b', 'c', 'd')
    with pytest.raises(UserError, match='holds objects of mine, and validation scores val: those of 1 of '
                                        'the 2 samples .*--allow-scored-objects') as refusal:
        train_config(parse('train', str(pasting)))
    assert '\n' not in str(refusal.value)
    train_config(parse('train', str(pasting), '--allow-scored-objects'))


def test_objects_of_other_samples_are_pasted(pasting, tmp_path):
    write_database(tmp_path / 'db', 'c', 'd')
    train_config(parse('train', str(pasting)))


def test_the_run_record_is_plain_json(tmp_path):
    recipe = config(tmp_path, TRAIN, VAL)
    run_train(recipe, tmp_path / 'run', '--cfg-options', 'train_cfg.max_epochs=1')
    meta = torch.load(tmp_path / 'run' / 'epoch_1.pth', weights_only=True)['meta'][LEARNED]
    assert json.loads(json.dumps(meta)) == meta and len(meta['digests']) == 64
