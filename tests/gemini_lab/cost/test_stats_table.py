"""The table sums stages into groups; a part that a recipe lacks is a dash."""
import pytest

from gemini_lab.cost.model_cost import StageCost
from gemini_lab.cost.stats_table import stage_lines, stats_table, three_digits

COSTS = {
    'both': [StageCost('camera_branch.backbone', 1_000_000, 2_000_000_000),
             StageCost('camera_branch.rest', 0, 500_000_000), StageCost('camera_align', 500, 0),
             StageCost('fuser', 2000, 3_000_000), StageCost('bbox_head', 700, 70)],
    'one': [StageCost('lidar_branch', 10, 20), StageCost('radar_align', 3, 4)]}


def test_groups_and_total_are_sums():
    lines = stats_table(COSTS).splitlines()
    assert len(lines) == 4 and len({line.count('|') for line in lines}) == 1
    # 1,000,000 + 0 + 500 parameters; 2.5 G multiply-adds; 1,003,200 parameters in all.
    assert lines[2] == '| `both` | 1 M / 2.5 G | – | – | 2 k / 3 M | – | 700 / 70 | 1 M / 2.5 G |'
    assert lines[3] == '| `one` | – | 10 / 20 | 3 / 4 | – | – | – | 13 / 24 |'


def test_every_stage_has_a_line():
    assert [line.split()[0] for line in stage_lines(COSTS['both'])] == [
        cost.stage for cost in COSTS['both']]


@pytest.mark.parametrize('number, text', [(999, '999'), (33_973_862_400, '34 G'), (723_970, '724 k'),
                                          (1_232_684, '1.23 M'), (107_508_272, '108 M')])
def test_counts_are_written_with_three_digits(number, text):
    assert three_digits(number) == text
