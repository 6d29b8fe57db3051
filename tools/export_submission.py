"""Makes a nuScenes submission: runs a model over a split, writes JSON and zip, validates them.

On several GPUs, run tools/dist_test.sh and hand its results_nusc.json over with --predictions.
Exit codes: 0 valid, 1 written but invalid, 2 could not run.

Examples:
    python tools/export_submission.py CONFIG CHECKPOINT --split val --out work_dirs/demo/submission
    python tools/export_submission.py CONFIG --predictions work_dirs/demo/results_nusc.json \
        --split val --out work_dirs/demo/submission
"""
import argparse
from pathlib import Path

from mmengine.config import DictAction

from geminifusion3d.cli import run_cli
from geminifusion3d.errors import UserError
from geminifusion3d.results.export import plan_export, predict, read_predictions, write_submission
from geminifusion3d.results.split_samples import read_split_samples
from geminifusion3d.results.validation import validate_file


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config of the model; its modality becomes the meta')
    parser.add_argument('checkpoint', nargs='?', help='weights to run, trained with the config')
    parser.add_argument('--predictions', type=Path,
                        help='results JSON of a test run, instead of a checkpoint')
    parser.add_argument('--split', required=True,
                        help='val or test (val means mini_val for v1.0-mini), or an exact name')
    parser.add_argument('--out', type=Path, required=True, help='folder for JSON and zip')
    parser.add_argument('--work-dir', help='folder for the log; default: <out>/log')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help='settings of the config to replace')
    return parser.parse_args()


def main() -> int:
    """Writes the submission and returns the exit code."""
    args = parse_args()
    if (args.checkpoint is None) == (args.predictions is None):
        raise UserError('got both or neither of CHECKPOINT and --predictions; give one of them')
    plan = plan_export(config=args.config, split=args.split, cfg_options=args.cfg_options)
    if args.predictions is not None:
        submission = read_predictions(plan, args.predictions)
    else:
        submission = predict(plan, config=args.config, checkpoint=args.checkpoint,
                             out_dir=args.out, work_dir=args.work_dir or str(args.out / 'log'))
    paths = write_submission(submission, args.out)
    samples = read_split_samples(data_root=plan.data_root, version=plan.infos.version,
                                 split=plan.infos.split)
    verdict = validate_file(paths['zip'], samples)
    for finding in verdict.findings:
        print(finding)
    print(f'{paths["json"]}\n{paths["zip"]}: {"valid" if verdict.is_valid else "INVALID"}, '
          f'{verdict.n_samples} samples, {verdict.n_boxes} boxes, track {verdict.track}')
    return 0 if verdict.is_valid else 1


if __name__ == '__main__':
    run_cli(main)
