"""Makes a nuScenes submission: runs a model over a split, writes JSON and zip, validates them.

Beside them: provenance.json, where they come from, and of the test split email.txt, what the organisers ask
for. On several GPUs, run tools/dist_test.sh and hand its results_nusc.json over with --predictions;
CHECKPOINT and --tta then say what it was made with, unless its test_run.json does.
Exit codes: 0 valid, 1 written but invalid, 2 could not run.

Example:
    gemini3d export CONFIG CHECKPOINT --tta flip --split test --out work_dirs/test
    gemini3d export CONFIG --predictions work_dirs/demo/results_nusc.json --out work_dirs/demo/submission
"""
import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Tuple

from ..errors import UserError
from .arguments import add_config_options, add_speed, add_test_time_augmentation, overrides
from .dataset import recorded_dataset

if TYPE_CHECKING:
    from .export import ExportPlan

EMAIL_NAME = 'email.txt'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds model, split, names and declarations."""
    parser.add_argument('config', help='config of the model; its modality becomes the meta')
    parser.add_argument('checkpoint', nargs='?', help='weights to run, trained with the config; with '
                                                      '--predictions: those that they were made with')
    parser.add_argument('--predictions', type=Path,
                        help='results JSON of a test run or of gemini3d ensemble; nothing is run')
    parser.add_argument('--split', metavar='NAME',
                        help='val or test (val means mini_val for v1.0-mini), or an exact name; default: '
                             'that of the predictions')
    parser.add_argument('--out', type=Path, required=True, help='folder for all that is written')
    parser.add_argument('--json-name', default='results_nusc.json', help='default: results_nusc.json')
    parser.add_argument('--zip-name', help='default: that of the JSON file with .zip')
    parser.add_argument('--external-data', default='', metavar='TEXT',
                        help='other data with boxes or masks that the model learned from, such as "image '
                             'backbone pretrained on nuImages"; declares use_external')
    add_test_time_augmentation(parser)
    add_speed(parser)
    parser.add_argument('--work-dir', help='folder for the log; default: <out>/log')
    add_config_options(parser)


def write_results(args: argparse.Namespace, plan: 'ExportPlan') -> Tuple[Dict[str, bool], Dict[str, Any]]:
    """Writes the results JSON; returns its flags, and weights, augmentation, speed and hardware."""
    from ..results.run_record import made_with, read_record
    from ..submission.provenance import ensemble_facts
    from .export import predict, take_predictions
    from .test_time_augmentation_flags import variants
    checkpoint, json_path = Path(args.checkpoint) if args.checkpoint else None, args.out / args.json_name
    if args.predictions is None:
        inference, overlap = predict(plan, json_path, config=args.config, checkpoint=args.checkpoint,
                                     work_dir=args.work_dir or str(args.out / 'log'), tta=args.tta or ())
        return plan.meta, made_with(checkpoint, args.tta or (), inference, overlap)
    variants(args.tta or ())
    said, recorded = made_with(checkpoint, args.tta or (), None), read_record(args.predictions) or {}
    is_ensemble = ensemble_facts(args.predictions) is not None
    meta = take_predictions(plan, args.predictions, json_path, is_ensemble=is_ensemble)
    return meta, {field: value or recorded.get(field, value) for field, value in said.items()}


def check_arguments(args: argparse.Namespace) -> None:
    """Refuses what cannot work, before anything is read; fills in a split that a run has recorded."""
    if args.checkpoint is None and args.predictions is None:
        raise UserError('got neither CHECKPOINT nor --predictions; give a model to run or its results')
    if args.checkpoint is not None and not Path(args.checkpoint).is_file():
        raise UserError(f'checkpoint {args.checkpoint} is not a file here; give the path of a .pth file, of '
                        'which the hash is kept')
    if args.split is None:
        args.split = recorded_dataset(args.predictions).get('split') if args.predictions else None
    if args.split is None:
        raise UserError('got no --split, expected val, test or an exact name')


def run(args: argparse.Namespace) -> int:
    """Writes the submission and returns the exit code."""
    check_arguments(args)
    from ..atomic import write_json, write_whole
    from ..engine.inference_hook import speed_up_tests
    from ..submission.provenance import PROVENANCE_NAME, describe
    from ..submission.submission_email import email_text
    from ..submission.validation import validate_file
    from .export import file_names, pack, plan_export
    file_names(args.json_name, args.zip_name)
    plan = plan_export(config=args.config, split=args.split, cfg_options=overrides(args.cfg_options),
                       external_data=args.external_data)
    speed_up_tests(plan.cfg, args)
    meta, made = write_results(args, plan)
    paths = pack(args.out, json_name=args.json_name, zip_name=args.zip_name)
    verdict = validate_file(paths['zip'], plan.samples)
    provenance = describe(facts=plan.facts, made=made, meta=meta, files=list(paths.values()),
                          predictions=args.predictions, verdict=verdict.to_dict())
    write_json(args.out / PROVENANCE_NAME, provenance, indent=2, sealed=True)
    print(f'{args.out / PROVENANCE_NAME}: where it comes from')
    if plan.samples.split == 'test':
        write_whole(args.out / EMAIL_NAME, email_text(provenance))
        print(f'{args.out / EMAIL_NAME}: what the organisers ask for, to be filled in')
    *findings, summary = verdict.lines()
    print('\n'.join([*findings, str(paths['json']), f'{paths["zip"]}: {summary}']))
    return 0 if verdict.is_valid else 1
