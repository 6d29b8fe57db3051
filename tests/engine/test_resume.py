"""The checkpoint to resume from is the last whole one."""
import os
from pathlib import Path

import pytest
import torch

from geminifusion3d.engine.checkpoint_hook import check_resumable, find_resumable, resume_candidates
from geminifusion3d.errors import UserError

STATE = {'meta': {}, 'state_dict': {}, 'message_hub': {}, 'optimizer': {}}


def save(path: Path, *, age_s: int) -> Path:
    """Saves an empty training state that is so many seconds old."""
    torch.save(STATE, path)
    os.utime(path, (1_000_000 - age_s,) * 2)
    return path


def test_an_empty_folder_has_nothing_to_resume_from(tmp_path: Path) -> None:
    assert find_resumable(tmp_path) is None


def test_the_noted_checkpoint_comes_first_then_newer_ones(tmp_path: Path) -> None:
    # epoch_12 is of an older run in the same folder.
    old, second, first = (save(tmp_path / f'epoch_{epoch}.pth', age_s=age)
                          for epoch, age in ((12, 99), (2, 1), (1, 5)))
    (tmp_path / 'last_checkpoint').write_text(str(second))
    assert resume_candidates(tmp_path) == [second, first, old]


@pytest.mark.parametrize('note', ['', '/elsewhere/epoch_1.pth', '/elsewhere/gone.pth'])
def test_a_useless_note_or_a_moved_folder_does_no_harm(tmp_path: Path, note: str) -> None:
    first = save(tmp_path / 'epoch_1.pth', age_s=5)
    (tmp_path / 'last_checkpoint').write_text(note)
    assert find_resumable(tmp_path) == first


def test_unreadable_checkpoints_are_passed_over(tmp_path: Path) -> None:
    first = save(tmp_path / 'epoch_1.pth', age_s=5)
    (tmp_path / 'epoch_2.pth').write_bytes(b'half')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_2.pth'))
    assert find_resumable(tmp_path) == first
    first.unlink()
    # Starting anew in this folder would overwrite what somebody may still want to look into.
    with pytest.raises(UserError, match='none of the 1 checkpoints'):
        find_resumable(tmp_path)


def test_bare_weights_cannot_be_resumed(tmp_path: Path) -> None:
    torch.save({'state_dict': {}}, tmp_path / 'weights.pth')
    with pytest.raises(UserError, match='no meta, message_hub, optimizer'):
        check_resumable(tmp_path / 'weights.pth')
