"""A comparison of two results files as text for the terminal."""
from typing import Any, Dict, List, Mapping

from .compare_predictions import OUTCOMES

COLUMNS = ('objects', *OUTCOMES)
SHOWN = 5


def format_comparison(result: Mapping[str, Any]) -> str:
    """Returns one line a class and a distance, and where to look.

    Args:
        result: what `compare_files` returned.
    """
    lines = [f'A: {result["a"]}', f'B: {result["b"]}',
             f'A find: centre within {result["match_distance_m"]:g} m, score at least that of the class.', '',
             _head('class') + f'{"score A":>9}{"score B":>9}{"FP A":>7}{"FP B":>7}{"ATE A":>8}{"ATE B":>8}']
    lines += [_row(name, row) + _class_cells(row) for name, row in result['classes'].items()]
    lines += [_row('all', _total(result['classes'])), '', _head('distance')]
    lines += [_row(name, row) for name, row in result['distances'].items()]
    lines += ['', 'ATE: over the objects that both found.', *_places(result)]
    return '\n'.join(lines).rstrip()


def _head(title: str) -> str:
    return f'{title:<22}' + ''.join(f'{name.replace("_", " "):>9}' for name in COLUMNS)


def _row(name: str, row: Mapping[str, Any]) -> str:
    return f'{name:<22}' + ''.join(f'{row[column]:>9}' for column in COLUMNS)


def _class_cells(row: Mapping[str, Any]) -> str:
    errors = [row[f'errors_{side}'].get('trans_err') for side in 'ab']
    cells = ''.join(f'{"-":>8}' if error is None else f'{error:8.3f}' for error in errors)
    return (f'{row["min_score_a"]:9.3f}{row["min_score_b"]:9.3f}'
            f'{row["false_positives_a"]:>7}{row["false_positives_b"]:>7}{cells}')


def _total(classes: Mapping[str, Mapping[str, Any]]) -> Dict[str, int]:
    return {column: sum(row[column] for row in classes.values()) for column in COLUMNS}


def _places(result: Mapping[str, Any]) -> List[str]:
    """Returns the samples with most differences and the surest finds of one file alone."""
    if not result['objects']:
        return ['', 'Both files found the same objects.']
    samples = [f'  {row["sample_token"]}  only A {row["only_a"]}, only B {row["only_b"]}'
               for row in result['samples'][:SHOWN]]
    objects = []
    for outcome in ('only_a', 'only_b'):
        rows = [row for row in result['objects'] if row['found_by'] == outcome][:SHOWN]
        objects += [f'  {outcome.replace("_", " ")}  {row["sample_token"]}  {row["class"]}, '
                    f'{row["distance_m"]:.0f} m away, {row["n_lidar_points"]} LiDAR points, '
                    f'score {row["score"]:.2f}' for row in rows]
    return ['', 'samples that differ most', *samples, 'surest finds of one file alone', *objects]
