"""Makes a nuScenes submission: runs a model over a split, writes JSON and zip, validates them.

Beside them: provenance.json, where they come from, and email.txt, what the organisers ask for.
On several GPUs, run tools/dist_test.sh and hand its results_nusc.json over with --predictions; CHECKPOINT
and --tta then say what it was made with.
Exit codes: 0 valid, 1 written but invalid, 2 could not run.

Examples:
    python tools/export_submission.py CONFIG CHECKPOINT --split val --out work_dirs/demo/submission
    python tools/export_submission.py CONFIG CHECKPOINT --tta flip --split test --out work_dirs/test
    python tools/export_submission.py CONFIG --predictions work_dirs/demo/results_nusc.json \
        --split val --out work_dirs/demo/submission
"""
import argparse
from pathlib import Path
from typing import Any, Dict, Tuple

from mmengine.config import DictAction

from ..atomic import atomic_write, write_json
from ..cli import run_cli
from ..engine.inference_hook import add_inference_arguments, speed_up_tests
from ..errors import UserError
from .export import (ExportPlan, file_names, plan_export, predict, read_predictions, write_submission)
from ..results.nuscenes_metric import RESULTS_NAME
from ..submission.provenance import PROVENANCE_NAME, describe, ensemble_facts
from ..results.run_record import made_with, read_record
from ..submission.submission import Submission
from ..submission.submission_email import email_text
from .test_time_augmentation_flags import add_test_time_argument, variants
from ..submission.validation import validate_file

EMAIL_NAME = 'email.txt'


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config of the model; its modality becomes the meta')
    parser.add_argument('checkpoint', nargs='?', help='weights to run, trained with the config; with '
                                                      '--predictions: those that they were made with')
    parser.add_argument('--predictions', type=Path,
                        help='results JSON of a test run or of tools/ensemble.py; nothing is run')
    parser.add_argument('--split', required=True,
                        help='val or test (val means mini_val for v1.0-mini), or an exact name')
    parser.add_argument('--out', type=Path, required=True, help='folder for all that is written')
    parser.add_argument('--json-name', default=RESULTS_NAME, help=f'default: {RESULTS_NAME}')
    parser.add_argument('--zip-name', help='default: that of the JSON file with .zip')
    parser.add_argument('--external-data', default='', metavar='TEXT',
                        help='other data with boxes or masks that the model learned from, such as "image '
                             'backbone pretrained on nuImages"; declares use_external')
    add_test_time_argument(parser)
    add_inference_arguments(parser)
    parser.add_argument('--work-dir', help='folder for the log; default: <out>/log')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help='settings of the config to replace')
    return parser.parse_args()


def submission_of(args: argparse.Namespace, plan: ExportPlan) -> Tuple[Submission, Dict[str, Any]]:
    """Returns the submission, and weights, augmentation, speed and hardware that made it."""
    checkpoint = Path(args.checkpoint) if args.checkpoint else None
    if args.predictions is None:
        submission, inference = predict(
            plan, config=args.config, checkpoint=args.checkpoint,
            work_dir=args.work_dir or str(args.out / 'log'), tta=args.tta or ())
        return submission, made_with(checkpoint, args.tta or (), inference)
    is_ensemble = ensemble_facts(args.predictions) is not None
    submission = read_predictions(plan, args.predictions, is_ensemble=is_ensemble)
    variants(args.tta or ())
    said = made_with(checkpoint, args.tta or (), None)
    recorded = read_record(args.predictions) or {}
    return submission, {field: value or recorded.get(field, value) for field, value in said.items()}


def check_arguments(args: argparse.Namespace) -> None:
    """Refuses what cannot work, before anything is read.

    Raises:
        UserError: with what to change.
    """
    if args.checkpoint is None and args.predictions is None:
        raise UserError('got neither CHECKPOINT nor --predictions; give a model to run or its results')
    if args.checkpoint is not None and not Path(args.checkpoint).is_file():
        raise UserError(f'checkpoint {args.checkpoint} is not a file here; give the path of a .pth file, of '
                        'which the hash is kept')
    file_names(args.json_name, args.zip_name)


def main() -> int:
    """Writes the submission and returns the exit code."""
    args = parse_args()
    check_arguments(args)
    plan = plan_export(config=args.config, split=args.split, cfg_options=args.cfg_options,
                       external_data=args.external_data)
    speed_up_tests(plan.cfg, args)
    submission, made = submission_of(args, plan)
    paths = write_submission(submission, args.out, json_name=args.json_name, zip_name=args.zip_name)
    verdict = validate_file(paths['zip'], plan.samples)
    provenance = describe(facts=plan.facts, made=made, meta=submission.meta, files=list(paths.values()),
                          predictions=args.predictions, verdict=verdict.to_dict())
    write_json(args.out / PROVENANCE_NAME, provenance, indent=2)
    with atomic_write(args.out / EMAIL_NAME) as part:
        part.write_text(email_text(provenance))
    for finding in verdict.findings:
        print(finding)
    print(f'{args.out / PROVENANCE_NAME}: where it comes from\n{args.out / EMAIL_NAME}: what the organisers '
          f'ask for, to be filled in\n{paths["json"]}\n{paths["zip"]}: '
          f'{"valid" if verdict.is_valid else "INVALID"}, {verdict.n_samples} samples, '
          f'{verdict.n_boxes} boxes, track {verdict.track}')
    return 0 if verdict.is_valid else 1


if __name__ == '__main__':
    run_cli(main)
