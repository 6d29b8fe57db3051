"""From the tools' JSON files to the tables of a page: numbers where they belong, mistakes named."""
import json
from pathlib import Path

import pytest

from gemini_lab.robustness.evaluation_page import BLOCKS, write_page
from gemini_lab.robustness.evaluations import modality_rows
from gemini_lab.robustness.suite import RobustnessReport
from gemini_lab.robustness.variants_gain import gain_rows
from geminifusion3d.errors import UserError

PAGE = ''.join(f'# {name}\n<!-- {name}:start -->\nold\n<!-- {name}:end -->\n' for name in BLOCKS)
ERRORS = dict(trans_err=0.3, scale_err=0.2, orient_err=None, vel_err=0.5, attr_err=0.1)
CONTENT = {
    'breakdown': dict(n_scenes=2, resamples=20, questions=[dict(
        name='visibility', false_positives_by_bin=False, bins=[
            dict(name='v0-40', n_annotations=12, mean_ap=0.25, nd_score=0.3, errors=ERRORS,
                 intervals=dict(mean_ap=[0.2, 0.31], nd_score=None)),
            dict(name='v40-60', n_annotations=0, mean_ap=None, nd_score=None, errors=ERRORS)])]),
    'modalities': modality_rows({'clean': dict(mAP=0.4, NDS=0.5), 'lidar-empty': dict(mAP=0.1, NDS=0.2)}),
    'tta': gain_rows({'clean': dict(mAP=0.4, NDS=0.5), 'flip+scale': dict(mAP=0.42, NDS=0.49)},
                     {'clean': 0.5, 'flip+scale': 6.0}),
    'ensemble': dict(fusing_seconds_per_sample=0.0123, rows=[
        dict(file='a.json', mAP=0.4, NDS=0.5, mAP_gain=0.0, NDS_gain=0.0),
        dict(file='fused', mAP=0.45, NDS=0.5, mAP_gain=0.05, NDS_gain=0.0)]),
    'robustness': RobustnessReport({name: dict(mAP=0.4, NDS=nds) for name, nds in (
        ('clean', 0.5), ('fog-1', 0.4), ('fog-2', 0.3))}, ['fog'], [1, 2]).to_json()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A work directory with every tool's file, and a page."""
    for name, content in CONTENT.items():
        path = tmp_path / BLOCKS[name].path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    (tmp_path / 'page.md').write_text(PAGE)
    return tmp_path


def test_every_table_holds_its_numbers(folder):
    assert write_page(folder, folder / 'page.md', 'ours') == list(BLOCKS)
    text = (folder / 'page.md').read_text()
    for line in ('| visibility: v0-40 \\* | 12 | 0.250 | 0.200 – 0.310 | 0.300 | – | 0.300 | 0.200 | – |',
                 '| LiDAR empty | 0.100 | -0.300 | 0.200 | -0.300 |',
                 '| flip scale | 0.420 | +0.020 | 0.490 | -0.010 | 6.00 s | 12.0 x |',
                 '| **fused** | 0.450 | +0.050 | 0.500 | +0.000 |', 'Fusing took 12.3 ms per sample.',
                 '| Fog | 1.000 | 0.700 | 0.400 | 0.400 | 0.400 | 0.300 |', '| **ours** | 0.500 | – |'):
        assert line in text
    assert 'old' not in text and 'v40-60' not in text


def test_what_was_not_measured_stays(folder):
    for name in ('tta', 'robustness'):
        (folder / BLOCKS[name].path).unlink()
    write_page(folder, folder / 'page.md', 'ours')
    assert (folder / 'page.md').read_text().count('old') == 2


def test_reports_come_back_from_json():
    report = RobustnessReport.from_json(CONTENT['robustness'])
    assert report.to_json() == CONTENT['robustness']


def test_mistakes_are_named(folder, tmp_path_factory):
    with pytest.raises(UserError, match='holds none of breakdown.json'):
        write_page(tmp_path_factory.mktemp('empty'), folder / 'page.md', 'ours')
    (folder / BLOCKS['tta'].path).write_text('{}]')
    with pytest.raises(UserError, match='tta_gain.json is not what the tool for tta writes'):
        write_page(folder, folder / 'page.md', 'ours')
    assert (folder / 'page.md').read_text() == PAGE


def test_the_projects_page_has_every_block_filled():
    page = Path(__file__).resolve().parents[3] / 'docs' / 'evaluation.md'
    for name in BLOCKS:
        content = page.read_text().split(f'<!-- {name}:start -->')[1].split(f'<!-- {name}:end -->')[0]
        assert content.startswith('\n| '), name
