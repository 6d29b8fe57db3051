"""Each campaign finds nothing where all is well, and finds what it is for."""
import json
import random
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from gemini_lab.campaigns import full_disk, kills, submissions, tiny_chain
from gemini_lab.campaigns.bit_flips import Kind, flip, plain
from gemini_lab.campaigns.kills import differences
from gemini_lab.jobs import Results

RECORDS = ('synthetic', '--records', '--out', 'disk/records', '--scenes', '2', '--samples-per-scene', '2')


@pytest.fixture(autouse=True)
def _imports_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Preloading serves many commands."""
    monkeypatch.setattr(tiny_chain, 'PRELOADED', [])


def test_spoilt_submissions_are_judged(tmp_path: Path) -> None:
    assert submissions.run(6, 0, tmp_path) == 0


def test_a_killed_command_is_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                       capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(kills, 'CHAIN', {'generate': RECORDS})
    assert kills.run(1, 0, 1, tmp_path, ('generate', ), minutes=0) == kills.UNFINISHED
    assert '1 are left' in capsys.readouterr().out
    monkeypatch.delattr(kills, 'undisturbed')
    assert kills.run(1, 0, 1, tmp_path, ('generate', )) == 0
    assert "1 kills: {'generate': 1}, 0 not mended" in capsys.readouterr().out


def test_what_a_kill_left_is_seen(tmp_path: Path) -> None:
    for name in ('a', 'b'):
        (tmp_path / name / '20260101_000000').mkdir(parents=True)
        (tmp_path / name / '20260101_000000' / f'{name}.log').write_text(name)
        (tmp_path / name / 'test_run.json').write_text(json.dumps({'date': name, 'split': 'val'}))
        (tmp_path / name / 'note').write_text(str(tmp_path / name))
    a, b = tmp_path / 'a', tmp_path / 'b'
    assert differences(a, b) == []
    (a / '.x.part').touch()
    (b / 'y').touch()
    (a / 'test_run.json').write_text('{"split": "train"}')
    assert differences(a, b) == ['missing: y', 'left over: .x.part', 'differs: test_run.json']


def test_a_flipped_bit_is_refused_with_a_digest_and_seen_without(tmp_path: Path) -> None:
    sealed, bare = tmp_path / 'sealed.json', tmp_path / 'bare.json'
    Results(sealed, {}).keep('a', [0.125, 0.25])
    bare.write_text('[0.125, 0.25]')
    kinds = {path: Kind([path], read) for path, read in (
        (sealed, lambda path: Results(path, {}).parts), (bare, lambda path: json.loads(path.read_text())))}
    found = {path: {flip(kind, plain(kind.read(path)), random.Random(seed)).partition(':')[0]
                    for seed in range(60)} for path, kind in kinds.items()}
    assert found[sealed] <= {'refused', 'the same'}
    assert 'OTHER CONTENT' in found[bare] and 'TRACEBACK' in found[bare]


def test_a_command_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'mount').mkdir()
    mounted = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=4k', 'tmpfs', str(tmp_path / 'mount')],
                             capture_output=True)
    if mounted.returncode:
        pytest.skip('no right to mount')
    subprocess.run(['umount', str(tmp_path / 'mount')], check=True)
    (tmp_path / 'world').mkdir()
    monkeypatch.setattr(full_disk, 'SHARES', (0.6, ))
    assert full_disk.attack('generate records', tmp_path / 'world', tmp_path / 'cases') == []


@pytest.mark.parametrize('campaign', ['kills', 'bit_flips', 'submissions'])
def test_no_attack_is_no_campaign(campaign, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['campaign', '--n', '0'])
    with pytest.raises(SystemExit, match='2'):
        runpy.run_module(f'gemini_lab.campaigns.{campaign}', run_name='__main__', alter_sys=True)
    assert 'must be at least 1, got 0' in capsys.readouterr().err
