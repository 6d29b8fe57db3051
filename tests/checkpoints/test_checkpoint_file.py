"""Checkpoints are read without running anything in them."""
import os
import pickle
from pathlib import Path
from typing import Any, Tuple

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.registry import PARAM_SCHEDULERS
from safetensors.torch import save_file

from geminifusion3d.checkpoints.checkpoint_file import check_exists, known_method, read_checkpoint
from geminifusion3d.errors import UserError


class Trap:
    """Unpickles by calling a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Tuple[Any, Tuple[Any, ...]]:
        """Returns what unpickling shall call."""
        return self.call


def test_history_buffers_of_a_training_checkpoint_come_back(tmp_path: Path) -> None:
    history = HistoryBuffer([1., 5., 3.], [1, 1, 1])
    torch.save({'message_hub': {'loss': history, 'best': np.float64(0.25)},
                'state_dict': {'weight': torch.arange(3.)}}, tmp_path / 'a.pth')
    content = read_checkpoint(tmp_path / 'a.pth')
    loss = content['message_hub']['loss']
    assert (loss.max(), loss.statistics('min'), loss.current()) == (5., 1., 3.)
    assert content['message_hub']['best'] == 0.25
    assert torch.equal(content['state_dict']['weight'], torch.tensor([0., 1., 2.]))


@pytest.mark.parametrize('zipped', [True, False])
def test_a_checkpoint_that_runs_a_program_is_refused(tmp_path: Path, zipped: bool) -> None:
    trap = Trap(os.system, f'touch {tmp_path}/ran')
    torch.save({'state_dict': {}, 'meta': trap}, tmp_path / 'bad.pth',
               _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match='is refused, nothing in it was run'):
        read_checkpoint(tmp_path / 'bad.pth')
    assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize('arguments', [(HistoryBuffer, '__init__'), (dict, 'pop'),
                                       ('text', 'min')])
def test_attribute_access_is_limited_to_the_statistics(tmp_path: Path, arguments: tuple) -> None:
    torch.save({'meta': Trap(getattr, *arguments)}, tmp_path / 'bad.pth')
    with pytest.raises(UserError, match='is refused'):
        read_checkpoint(tmp_path / 'bad.pth')
    with pytest.raises(pickle.UnpicklingError):
        known_method(*arguments)


def test_a_plain_pickle_with_a_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / 'bad.pth'
    path.write_bytes(pickle.dumps(Trap(os.system, f'touch {tmp_path}/ran')))
    with pytest.raises(UserError):
        read_checkpoint(path)
    assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize('share', [0., 0.3, 0.9, 0.999])
def test_an_incomplete_checkpoint_is_named_as_such(tmp_path: Path, share: float) -> None:
    torch.save({'state_dict': {'weight': torch.rand(100)}}, tmp_path / 'a.pth')
    whole = (tmp_path / 'a.pth').read_bytes()
    (tmp_path / 'a.pth').write_bytes(whole[:int(share * len(whole))])
    with pytest.raises(UserError, match='a.pth'):
        read_checkpoint(tmp_path / 'a.pth')


def test_an_absent_checkpoint_and_one_without_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='does not exist'):
        read_checkpoint(tmp_path / 'none.pth')
    check_exists('https://example.org/weights.pth')
    torch.save([1, 2], tmp_path / 'list.pth')
    with pytest.raises(UserError, match='holds a list, expected a dictionary'):
        read_checkpoint(tmp_path / 'list.pth')


@pytest.mark.parametrize('schedule', [
    dict(type='OneCycleLR', eta_max=1., total_steps=4), dict(type='CosineAnnealingLR', T_max=4),
    dict(type='OneCycleLR', eta_max=1., total_steps=4, anneal_strategy='linear'),
    dict(type='LinearLR', start_factor=0.1), dict(type='MultiStepLR', milestones=[1]),
    dict(type='CosineAnnealingMomentum', T_max=4), dict(type='PolyLR'),
    dict(type='ExponentialLR', gamma=0.9),
    dict(type='StepLR', step_size=2), dict(type='ConstantLR'), dict(type='ReduceOnPlateauLR')])
def test_every_schedule_can_be_resumed(tmp_path: Path, schedule: dict) -> None:
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    state = PARAM_SCHEDULERS.build(dict(schedule, optimizer=optimizer)).state_dict()
    torch.save({'param_schedulers': [state]}, tmp_path / 'a.pth')
    read, = read_checkpoint(tmp_path / 'a.pth')['param_schedulers']
    assert read == state


def test_no_flipped_bit_loads_as_other_weights(tmp_path: Path) -> None:
    path, damaged = tmp_path / 'whole.pth', tmp_path / 'damaged.pth'
    torch.save({'state_dict': {'a': torch.arange(40.), 'b': torch.ones(3, dtype=torch.int64)}}, path)
    content, whole = path.read_bytes(), read_checkpoint(path)['state_dict']
    refused = 0
    for position in range(0, len(content), 7):
        for bit in (0, 6):
            flipped = bytearray(content)
            flipped[position] ^= 1 << bit
            damaged.write_bytes(flipped)
            try:
                found = read_checkpoint(damaged)['state_dict']
            except UserError as refusal:
                assert '\n' not in str(refusal)
                refused += 1
                continue
            assert found.keys() == whole.keys() and all(torch.equal(found[key], whole[key]) for key in whole)
    # Much of so small a file is padding, whose bits mean nothing.
    assert refused > 100


def test_a_checkpoint_without_checksums_loads_and_says_so(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = []
    monkeypatch.setattr('geminifusion3d.checkpoints.checkpoint_file.print_log',
                        lambda text, logger: said.append(text))
    torch.save({'a': torch.ones(2)}, tmp_path / 'old.pth', _use_new_zipfile_serialization=False)
    assert read_checkpoint(tmp_path / 'old.pth')['a'].tolist() == [1, 1]
    assert 'old.pth is of a format without checksums' in said[0]
    (tmp_path / 'short.pth').write_bytes(b'PK\x03\x04fifteen bytes'[:15])
    with pytest.raises(UserError, match='short.pth'):
        read_checkpoint(tmp_path / 'short.pth')


def test_dictionaries_of_a_safetensors_file_come_back_as_those_of_a_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / 'a.safetensors'
    save_file({'weight': torch.arange(3.)}, path,
              metadata={'seed': '7', 'note': '{of others}', 'learned_settings': '{"cell_m": 0.5}'})
    assert read_checkpoint(path)['meta'] == {
        'seed': '7', 'note': '{of others}', 'learned_settings': {'cell_m': 0.5}}
    save_file({'weight': torch.arange(3.)}, path, metadata={'learned_settings': '{"cell_m": 0.5'})
    with pytest.raises(UserError, match='cannot be read, it is damaged'):
        read_checkpoint(path)
