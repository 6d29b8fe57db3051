"""The made-up dataset has the size of the real one, and memory is added up over processes."""
import sys

import pytest

from gemini_lab.campaigns.full_size import SAMPLES, scene_lengths, write_tables
from gemini_lab.campaigns.memory import available_bytes, measure, table
from geminifusion3d.errors import UserError
from geminifusion3d.submission.split_samples import read_split_samples

HOLD = 'import time; held = bytearray(b"x" * 100_000_000); time.sleep(2)'


def test_the_scenes_have_as_many_samples_as_the_real_ones():
    assert {split: sum(length for _, length in scene_lengths((split, ))) for split in SAMPLES} == SAMPLES
    assert len(scene_lengths(tuple(SAMPLES))) == 850


def test_the_tables_fit_together(tmp_path):
    write_tables(tmp_path, ('val', ), keyframes_only=True, every=75)
    samples = read_split_samples(data_root=tmp_path, version='v1.0-trainval', split='val')
    assert len(samples.ego_xy_global_m) == sum(length for _, length in scene_lengths(('val', ), 75))


def test_what_a_child_holds_counts_in_a_session_of_its_own(tmp_path):
    # So torchrun starts its ranks.
    command = ('import subprocess, sys; '
               f'subprocess.run([sys.executable, "-c", {HOLD!r}], start_new_session=True)')
    peak = measure([sys.executable, '-c', command], tmp_path / 'log')
    assert 100e6 / 2**30 < peak.private_gib <= peak.pss_gib + 0.01 < 0.5
    assert available_bytes() > 0


def test_a_row_that_fails_names_its_log(tmp_path):
    with pytest.raises(UserError, match=f'exit code 3; {tmp_path}/log says why: no room'):
        measure([sys.executable, '-c', 'print("no room"); raise SystemExit(3)'], tmp_path / 'log')


def test_the_table_says_what_share_was_measured():
    row = {'pss_gib': 1.5, 'private_gib': 1.25, 'seconds': 120, 'date': '2026-11-27', 'every': 30}
    assert table({'export': row}).splitlines()[-1] == (
        '| export of 6,019 samples x 500 boxes | 1 of 30 | 7.4 | 1.50 | 1.25 | 2 GiB | 2 min | 2026-11-27 |')
