"""Whether the unmodified devkit takes a results file, up to where it would begin to score it."""
from pathlib import Path
from typing import Collection

from nuscenes.eval.common.loaders import load_prediction
from nuscenes.eval.detection.data_classes import DetectionBox


def devkit_stops(path: Path, tokens: Collection[str]) -> bool:
    """Whether loading stops, or the samples are not those of the split.

    Args:
        path: results JSON.
        tokens: the samples of the split.
    """
    try:
        boxes, _ = load_prediction(str(path), 500, DetectionBox)
    except Exception:
        return True
    return set(boxes.sample_tokens) != set(tokens)
