"""What the evaluation tools measured, as tables of a Markdown file between comments of their names."""
import json
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence

from nuscenes.eval.detection.constants import TP_METRICS

from geminifusion3d.atomic import unsealed
from geminifusion3d.errors import UserError
from geminifusion3d.results.devkit_eval import ERROR_NAMES

from ..analysis.prediction_file import FUSED, METRICS
from ..markdown_block import write_block
from ..text_table import markdown_table, number
from .evaluations import MODALITY_HEADER, modality_cells
from .suite import RobustnessReport
from .variants_gain import GAIN_HEADER, gain_cells


class Block(NamedTuple):
    """One table: where its numbers lie below a work directory, and how it is written.

    Attributes:
        path: JSON file of a tool.
        render: from its content and the model's name to Markdown.
    """

    path: str
    render: Callable[[Any, str], str]


def modalities(rows: Sequence[Mapping[str, Any]], model: str) -> str:
    """Returns the table of modalities.json."""
    return markdown_table(MODALITY_HEADER, [modality_cells(row) for row in rows])


def robustness(content: Mapping[str, Any], model: str) -> str:
    """Returns the tables of robustness.json."""
    report = RobustnessReport.from_json(content)
    return (f'{report.markdown_scores()}\n\nResistance ability (NDS) beside the published one:\n\n'
            f'{report.markdown_published(model)}')


def tta(rows: Sequence[Mapping[str, Any]], model: str) -> str:
    """Returns the table of tta_gain.json."""
    return markdown_table(GAIN_HEADER, [gain_cells(row) for row in rows])


def ensemble(content: Mapping[str, Any], model: str) -> str:
    """Returns the table of ensemble_gain.json."""
    header = ['file', *[cell for name in METRICS for cell in (name, f'Δ {name} to the best')]]
    rows = [['**fused**' if row['file'] == FUSED else f'`{row["file"]}`',
             *[cell for name in METRICS for cell in (
                 number(row[name]), number(row[f'{name}_gain'], signed=True))]] for row in content['rows']]
    cost_ms = content['fusing_seconds_per_sample'] * 1e3
    return f'{markdown_table(header, rows)}\n\nFusing took {cost_ms:.1f} ms per sample.'


def breakdown(content: Mapping[str, Any], model: str) -> str:
    """Returns the table of breakdown.json, a line per bin."""
    header = ['part', 'objects', 'mAP', '95 %', 'NDS', '95 %', *[ERROR_NAMES[name] for name in TP_METRICS]]
    rows: List[List[str]] = []
    for question in content['questions']:
        mark = '' if question['false_positives_by_bin'] else ' \\*'
        rows += [[f'{question["name"]}: {entry["name"]}{mark}', *_bin_cells(entry)]
                 for entry in question['bins'] if entry['n_annotations']]
    return (f'{markdown_table(header, rows)}\n\nIntervals over {content["n_scenes"]} scenes, '
            f'{content["resamples"]} resamples. \\* A false positive belongs to no part and counts in all: '
            'lower bounds.')


BLOCKS: Dict[str, Block] = {
    'breakdown': Block('breakdown.json', breakdown),
    'modalities': Block('modalities/modalities.json', modalities),
    'tta': Block('tta_gain/tta_gain.json', tta),
    'ensemble': Block('ensemble/ensemble_gain.json', ensemble),
    'robustness': Block('robustness/robustness.json', robustness)}


def write_page(work_dir: Path, page: Path, model: str) -> List[str]:
    """Writes the tables of what a work directory holds, see BLOCKS; returns the names of those written."""
    found = {name: work_dir / block.path for name, block in BLOCKS.items()
             if (work_dir / block.path).is_file()}
    if not found:
        raise UserError(f'{work_dir} holds none of {", ".join(block.path for block in BLOCKS.values())}; '
                        'run the evaluations first')
    rendered = {name: _render(name, path, model) for name, path in found.items()}
    for name, text in rendered.items():
        write_block(page, name, text)
    return list(rendered)


def _render(name: str, path: Path, model: str) -> str:
    try:
        return BLOCKS[name].render(unsealed(json.loads(path.read_text())), model)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f'{path} is not what the tool for {name} writes ({error!r}); run it again') from error


def _bin_cells(entry: Mapping[str, Any]) -> List[str]:
    intervals = entry.get('intervals', {})
    return [f'{entry["n_annotations"]}', number(entry['mean_ap']), _interval(intervals.get('mean_ap')),
            number(entry['nd_score']), _interval(intervals.get('nd_score')),
            *[number(entry['errors'][name]) for name in TP_METRICS]]


def _interval(bounds: Optional[Sequence[float]]) -> str:
    return f'{bounds[0]:.3f} – {bounds[1]:.3f}' if bounds else number(None)
