"""Several results files become one by weighted box fusion, sample by sample.

The files may be anybody's; they must be of the same samples. Velocity is averaged with the box, the attribute
is voted on, and the flags of all files are joined: what one of them used was used. What that gains over each
of the files is scored by the official devkit.
"""
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Tuple

import numpy as np
from nuscenes import NuScenes

from geminifusion3d.errors import UserError
from geminifusion3d.nuscenes_facts import CLASS_NAMES, MAX_BOXES_PER_SAMPLE
from geminifusion3d.results.devkit_eval import evaluate_file
from geminifusion3d.results.nuscenes_boxes import Record
from geminifusion3d.results.weighted_box_fusion import RADIUS_M, Fused, Opinions, fuse, vote
from geminifusion3d.submission.rules import META_FLAGS

from ..text_table import number, terminal_table
from .prediction_file import ATTRIBUTES, PredictionFile


def joint_meta(files: Sequence[PredictionFile]) -> Dict[str, bool]:
    """Returns the five flags of an ensemble."""
    return {flag: any(file.meta[flag] for file in files) for flag in META_FLAGS}


def fuse_files(files: Sequence[PredictionFile], *, weights: Sequence[float],
               radius_m: Mapping[str, float] = RADIUS_M) -> Iterator[Tuple[str, List[Record]]]:
    """Yields each sample's fused records, samples sorted by token; files of different samples are refused."""
    index_of = [{token: index for index, token in enumerate(file.tokens)} for file in files]
    for file, known in zip(files, index_of):
        if known.keys() != index_of[0].keys():
            differing = sorted(known.keys() ^ index_of[0].keys())
            raise UserError(f'{file.path} holds {len(known)} samples, {files[0].path} {len(index_of[0])}, '
                            f'and {len(differing)} are in one alone, such as {differing[0]}; expected '
                            'files of the same split')
    for token in sorted(index_of[0]):
        ranges = [slice(file.first[known[token]], file.first[known[token] + 1])
                  for file, known in zip(files, index_of)]
        yield token, fuse_sample(token, files, ranges, weights=weights, radius_m=radius_m)


def fuse_sample(token: str, files: Sequence[PredictionFile], ranges: Sequence[slice], *,
                weights: Sequence[float], radius_m: Mapping[str, float]) -> List[Record]:
    """Returns the fused records of one sample, best first, at most as many as allowed."""
    def column(name: str) -> np.ndarray:
        return np.concatenate([getattr(file, name)[one] for file, one in zip(files, ranges)])

    counts = [one.stop - one.start for one in ranges]
    fused = fuse(Opinions(boxes=column('boxes'), scores=column('scores'), labels=column('labels'),
                          source=np.repeat(np.arange(len(files)), counts)),
                 weights=weights, radius_m=radius_m)
    return _records(token, fused, vote(column('attributes'), fused))


def _records(token: str, fused: Fused, attributes: np.ndarray) -> List[Record]:
    boxes = fused.boxes[:MAX_BOXES_PER_SAMPLE]
    half_rad = boxes[:, 6] / 2
    quaternions = np.column_stack([np.cos(half_rad), np.zeros((len(boxes), 2)), np.sin(half_rad)])
    columns = zip(boxes.tolist(), quaternions.tolist(), fused.scores.tolist(), fused.labels.tolist(),
                  attributes.tolist())
    return [{
        'sample_token': token, 'translation': box[:3], 'size': box[3:6], 'rotation': quaternion,
        'velocity': box[7:9], 'detection_name': CLASS_NAMES[label], 'detection_score': score,
        'attribute_name': ATTRIBUTES[attribute],
    } for box, quaternion, score, label, attribute in columns]


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
