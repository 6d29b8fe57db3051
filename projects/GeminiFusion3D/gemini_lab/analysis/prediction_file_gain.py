"""What an ensemble gains over each of the files that went in, by the official devkit."""
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence

from nuscenes import NuScenes

from geminifusion3d.results.devkit_eval import evaluate_file

from ..text_table import number, terminal_table

FUSED = 'fused'
METRICS = {'mAP': 'mean_ap', 'NDS': 'nd_score'}


def score_gain(members: Sequence[Path], fused: Path, *, tables: NuScenes, split: str) -> List[Dict[str, Any]]:
    """Returns mAP, NDS and their gain over the best member's, a row per member, then their ensemble's."""
    rows = [{'file': str(path), **_score(path, tables, split)} for path in members]
    best = {name: max(row[name] for row in rows) for name in METRICS}
    rows.append({'file': FUSED, **_score(fused, tables, split)})
    return [{**row, **{f'{name}_gain': row[name] - best[name] for name in METRICS}} for row in rows]


def format_gain(rows: Sequence[Mapping[str, Any]]) -> str:
    """Returns one line per file for the terminal."""
    header = ['', *(cell for name in METRICS for cell in (name, 'to best'))]
    return terminal_table(header, [[row['file'], *(cell for name in METRICS for cell in (
        number(row[name]), number(row[f'{name}_gain'], signed=True)))] for row in rows])


def _score(path: Path, tables: NuScenes, split: str) -> Dict[str, float]:
    summary = evaluate_file(result_path=path, tables=tables, split=split).summary
    return {name: float(summary[key]) for name, key in METRICS.items()}
