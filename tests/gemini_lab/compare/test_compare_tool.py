"""The comparison's tool writes table, plot and runs from kept results, and refuses what it cannot do."""
import json

import pytest

FACTS = dict(train_keyframes=200, train_scenes=40, val_keyframes=40, val_scenes=8, steps=1200)


@pytest.fixture
def places(tmp_path):
    """A README with the block, a docs folder with two runs, and an empty work directory."""
    readme, docs = tmp_path / 'README.md', tmp_path / 'docs'
    readme.write_text('# Title\n<!-- compare:start -->\n<!-- compare:end -->\nend\n')
    docs.mkdir()
    runs = [dict(variant='lidar', seed=seed, scores=dict(all=dict(mAP=mAP, NDS=0.2)), step_s=0.1,
                 processor='a processor',
                 costs=[dict(stage='bbox_head', parameters=1000, multiply_adds=2000)])
            for seed, mAP in enumerate((0.1, 0.3))]
    (docs / 'compare.json').write_text(json.dumps(dict(facts=FACTS, runs=runs)))
    return ['--readme', readme, '--docs', docs, '--work-dir', tmp_path / 'work']


def test_kept_runs_are_rendered_and_twice_gives_the_same_bytes(places, gemini3d):
    readme, docs = places[1], places[3]
    written = []
    for _ in range(2):
        ended = gemini3d('compare', '--render-only', *places)
        assert ended.returncode == 0, ended.stderr
        written.append([file.read_bytes() for file in (readme, docs / 'compare.json', docs / 'compare.svg')])
    assert written[0] == written[1]
    text = readme.read_text()
    # (0.1 + 0.3) / 2, and sqrt(0.02).
    assert '| LiDAR-only baseline | 2 | 0.200 ± 0.141 |' in text and '1200 steps' in text
    assert 'one thread of a processor. Every single run: [compare.json](docs/compare.json).' in text
    assert '![mAP of each model](docs/compare.svg)' in text
    assert text.startswith('# Title\n') and text.endswith('<!-- compare:end -->\nend\n')


@pytest.mark.parametrize('arguments, message', [
    (['--jobs', 0], 'must be at least 1, got 0'),
    (['--only', 'nothing', '--render-only'], 'no model of the comparison is called nothing')])
def test_a_mistake_ends_in_one_line(places, gemini3d, arguments, message):
    ended = gemini3d('compare', *arguments, *places)
    assert ended.returncode == 2
    assert message in ended.stderr


def test_nothing_to_render_is_told(places, gemini3d):
    (places[3] / 'compare.json').unlink()
    ended = gemini3d('compare', '--render-only', *places)
    assert ended.returncode == 2 and 'train first' in ended.stderr
