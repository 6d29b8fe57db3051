"""Costs of several recipes as one Markdown table."""
from typing import Dict, List, Mapping, Sequence, Tuple

from ..text_table import markdown_table
from .model_cost import StageCost

# Columns of the table: a title, and the stages that it sums up.
GROUPS: Dict[str, Tuple[str, ...]] = {
    'camera branch': ('camera_branch', 'camera_align'),
    'LiDAR branch': ('lidar_branch', 'lidar_align'),
    'radar branch': ('radar_branch', 'radar_align'),
    'fuser': ('offset_field', 'cell_encoding', 'gate', 'fuser'),
    'BEV backbone, neck': ('bev_backbone', 'bev_neck', 'motion'),
    'head': ('bbox_head', 'seg_head')}


def stats_table(costs: Mapping[str, Sequence[StageCost]]) -> str:
    """Returns one line per recipe: parameters / multiply-adds of each group of stages and of all."""
    lines = []
    for recipe, stages in costs.items():
        cells = [_cell([cost for cost in stages if cost.stage.split('.')[0] in group])
                 for group in GROUPS.values()]
        lines.append([f'`{recipe}`', *cells, _cell(stages)])
    return markdown_table(['recipe', *GROUPS, 'all'], lines)


def _cell(costs: Sequence[StageCost]) -> str:
    if not costs:
        return '–'
    parameters, multiply_adds = (sum(getattr(cost, name) for cost in costs)
                                 for name in ('parameters', 'multiply_adds'))
    return f'{three_digits(parameters)} / {three_digits(multiply_adds)}'


def stage_lines(costs: Sequence[StageCost]) -> List[str]:
    """Returns one line per stage, for the terminal."""
    return [f'{cost.stage:<28}{three_digits(cost.parameters):>10}{three_digits(cost.multiply_adds):>10}'
            for cost in costs]


def three_digits(number: int) -> str:
    """Writes a count with three digits: 510 k, 1.23 M, 33.9 G."""
    for size, unit in ((1e9, ' G'), (1e6, ' M'), (1e3, ' k')):
        if number >= size:
            return f'{float(f"{number / size:.3g}"):g}{unit}'
    return str(number)
