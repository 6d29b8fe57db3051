"""Decides whether a fuser pays: many paired seeds on stored BEV maps, with intervals and their power.

Stage one trains the encoders, once per group of seeds, without a fuser, and stores their maps of one world
to train on, one to tune on and one to report on. Stage two trains a fuser and what follows it in a minute
and scores it under every condition of sensors. A pilot says how many seeds a difference needs; then all
fusers of the first seed run, then those of the next: a run may be cut anywhere, and the same command
continues. Where there is a GPU, all runs share it, --jobs at a time. Tables and plot go into a Markdown file
and every single run into docs/does_it_pay.json at the end, and by --render-only.

Example:
    gemini3d decide
    gemini3d decide --only add conv gemini --seeds 0 1 2
    gemini3d decide --render-only
"""
import argparse
import json
import os
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Sequence, Set, Tuple

from geminifusion3d.atomic import atomic_write, locked_folder, write_json
from geminifusion3d.errors import UserError

from ..compare.command import REPO, add_runs, data_steps
from ..compare.queue import make_all
from ..compare.runs import adopt, read_list, runs_in, size_of
from ..jobs import run_steps
from ..markdown_block import check_block, write_block

if TYPE_CHECKING:
    from .runs import Job, Plan

REPORT_WORLD = ('--scenes=36', '--samples-per-scene=2', '--seed=18')
BLOCK, RUNS_FILE, PLOT_FILE = 'decide', 'does_it_pay.json', 'does_it_pay.svg'
PILOT, PILOT_SEEDS, PILOT_FILE = ('add', 'conv', 'gemini'), (0, 1, 2), 'pilot.json'
WORKER = 'gemini_lab.decide.worker'
# The difference that the statement of power speaks of.
OF_INTEREST = 0.01


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds which runs, and where everything goes."""
    parser.add_argument('--only', nargs='+', default=[], metavar='FUSER',
                        help='only these fusers, such as add gemini; default: all')
    parser.add_argument('--any-code', action='store_true',
                        help='results that earlier code made count too; each says which code that was')
    parser.add_argument('--page', type=Path, default=REPO / 'docs' / 'does_it_pay.md',
                        help='file with the block that the tables go to; default: docs/does_it_pay.md')
    add_runs(parser, seeds=10, work_dir='decide')


def run(args: argparse.Namespace) -> None:
    """Trains, scores and writes."""
    args.work_dir, args.docs, args.page = (path.absolute() for path in (args.work_dir, args.docs, args.page))
    from .fusers import choose
    from .runs import Plan
    os.chdir(REPO)
    # Slips are named before two worlds are written.
    choose(args.only)
    check_block(args.page, BLOCK)
    read_list(args.docs / RUNS_FILE)
    plan = Plan()
    if not args.render_only:
        with locked_folder(args.work_dir):
            run_steps([*data_steps(Path(plan.learn_root)),
                       *data_steps(Path(plan.report_root), REPORT_WORLD, 'report-')], args.work_dir / 'steps')
            run_all(plan, args)
    render(plan, args)


def run_all(plan: 'Plan', args: argparse.Namespace) -> None:
    """Makes the runs that are not there yet: the pilot, its statement, then the others.

    Args:
        plan: the settings.
        args: the command line.

    Raises:
        UserError: if a run fails; the others are made all the same.
    """
    from .fusers import choose
    from .runs import make_job
    names = choose(args.only)
    trials = [make_job(name, seed, plan, args.work_dir, args.any_code)
              for seed in args.seeds for name in names]
    adopt(trials, kept_runs(args))
    pilot = [trial for trial in trials if trial.variant.name in PILOT and trial.seed in PILOT_SEEDS]
    work_through(pilot, plan, args)
    for line in power_statement(plan, args, len(names)):
        print(line)
    for _, of_group in groupby(trials, lambda trial: plan.group_of(trial.variant.name, trial.seed)):
        work_through(list(of_group), plan, args)


def work_through(jobs: Sequence['Job'], plan: 'Plan', args: argparse.Namespace) -> None:
    """Makes some runs, several side by side, after the encoders that they use.

    Args:
        jobs: the runs.
        plan: the settings.
        args: the command line.

    Raises:
        UserError: if one fails.
    """
    from .runs import ENCODERS, make_job
    open_jobs = [job for job in jobs if job.result() is None]
    if not open_jobs:
        return
    if open_jobs[0].variant.name != ENCODERS:
        groups = sorted({plan.group_of(job.variant.name, job.seed) for job in open_jobs})
        work_through([make_job(ENCODERS, group, plan, args.work_dir, args.any_code) for group in groups],
                     plan, args)
    make_all(jobs, args.jobs, WORKER, describe)


def describe(result: Mapping[str, Any]) -> str:
    """Returns a few words about a result."""
    if 'scores' not in result:
        return f'maps of {len(result["conditions"])} conditions'
    from .runs import MEAN
    from .table import METRICS, score_of
    clean, mean = (score_of(result, metric) for metric in METRICS)
    return f'mAP {clean:.3f} clean, {mean:.3f} {MEAN}'


def kept_runs(args: argparse.Namespace) -> List[Dict[str, Any]]:
    """Returns the runs that docs list, perhaps of another machine."""
    runs: List[Dict[str, Any]] = read_list(args.docs / RUNS_FILE)['runs']
    return runs


def power_statement(plan: 'Plan', args: argparse.Namespace, fusers: int) -> List[str]:
    """Returns what the pilot says about how many seeds are needed; the first time is the one that counts.

    Args:
        plan: the settings.
        args: the command line.
        fusers: how many will be compared.
    """
    from ..paired import CONFIDENCE, detectable, pairs_needed, pooled_spread
    from .runs import make_job
    from .table import METRICS, by_seed
    path = args.work_dir / PILOT_FILE
    if path.is_file():
        return list(json.loads(path.read_text()))
    jobs = [make_job(name, seed, plan, args.work_dir, args.any_code)
            for name in PILOT for seed in PILOT_SEEDS]
    results = [result for result in (job.result() for job in jobs) if result]
    # One fuser is beside no other, one seed has no spread.
    if len(results) < len(jobs) or fusers < 2 or len(args.seeds) < 2:
        return []
    strictest, lines = (1 - CONFIDENCE) / (fusers - 1), []
    for metric, label in METRICS.items():
        scores = {name: by_seed(results, name, metric) for name in PILOT}
        spread = pooled_spread([[scores[name][seed] - scores[PILOT[0]][seed] for seed in PILOT_SEEDS]
                                for name in PILOT[1:]])
        needed = [pairs_needed(OF_INTEREST, spread, alpha) for alpha in (1 - CONFIDENCE, strictest)]
        seen = [detectable(len(args.seeds), spread, alpha) for alpha in (1 - CONFIDENCE, strictest)]
        lines.append(
            f'{label}: a paired difference has the standard deviation {spread:.4f} (pilot of {len(PILOT)} '
            f'fusers x {len(PILOT_SEEDS)} seeds); a difference of {OF_INTEREST} is seen at 80 % with '
            f'{needed[0]} seeds alone, with {needed[1]} as the strictest of {fusers - 1} comparisons; '
            f'{len(args.seeds)} seeds see {seen[0]:.3f} alone and {seen[1]:.3f} at the strictest')
    write_json(path, lines, indent=1)
    return lines


def render(plan: 'Plan', args: argparse.Namespace) -> None:
    """Writes the list of runs, the plot and the block of the page.

    Args:
        plan: the settings.
        args: the command line.

    Raises:
        UserError: if there is nothing to render.
    """
    from . import table
    path = args.docs / RUNS_FILE
    listed = read_list(path)
    results, facts = listed['runs'], listed.get('facts', dict(power=[]))
    there = set(runs_in(args.work_dir))
    if there:
        results, pilot = results_of(there, results, plan, args), args.work_dir / PILOT_FILE
        facts = dict(world_facts(plan),
                     power=json.loads(pilot.read_text()) if pilot.is_file() else facts['power'])
    if not results:
        raise UserError(f'nothing to render: no results of these recipes and data in {args.work_dir} and '
                        f'none in {path}; train first')
    write_json(path, dict(facts=facts, runs=results), indent=1)
    with atomic_write(args.docs / PLOT_FILE) as part:
        part.write_text(table.svg_plot(results))
    folder = os.path.relpath(args.docs, args.page.parent)
    plot, runs = (os.path.normpath(os.path.join(folder, name)) for name in (PLOT_FILE, RUNS_FILE))
    parts = [table.verdict(results), f'![mAP minus that of addition, with intervals]({plot})']
    for said, alike in table.trained_alike(results).items():
        parts += [said and f'{said}:', *(table.decision_table(alike, metric) for metric in table.METRICS),
                  table.condition_table(alike)]
    parts += [table.gate_table(results), caption(facts, runs), table.cost_line(results),
              'Before the runs: ' + '; '.join(facts['power']) + '.' if facts['power'] else '']
    write_block(args.page, BLOCK, '\n\n'.join(part for part in parts if part))
    print(table.verdict(results))


def results_of(there: Set[Tuple[str, int]], listed: Sequence[Mapping[str, Any]], plan: 'Plan',
               args: argparse.Namespace) -> List[Mapping[str, Any]]:
    """Returns what runs found, in the table's order: of the work directory, and listed ones beside them.

    The code may have changed since, recipes and data not: each says in its identity which it came from.

    Args:
        there: fuser and seed of what lies in the work directory.
        listed: runs of an earlier list.
        plan: the settings.
        args: the command line.
    """
    from .fusers import FUSERS
    from .runs import make_job
    kept = {(one['variant'], one['seed']): one for one in listed}
    found: List[Mapping[str, Any]] = []
    for name in FUSERS:
        for _, seed in sorted(key for key in there | kept.keys() if key[0] == name):
            job = make_job(name, seed, plan, args.work_dir, any_code=True)
            result = job.result()
            one = kept.get((name, seed), dict(identity={}))
            if result is None and {**one['identity'], 'code': ''} == {**job.identity, 'code': ''}:
                result = dict(one)
            found += [result] if result else []
    return found


def world_facts(plan: 'Plan') -> Dict[str, Any]:
    """Returns the settings, and keyframes and scenes of each world."""
    from dataclasses import asdict

    from .runs import REPORT, TRAIN, TUNE
    counts = {}
    for world in (TRAIN, TUNE, REPORT):
        cfg = plan.of_world(world)
        counts[world] = size_of((cfg.train_dataloader if world == TRAIN else cfg.test_dataloader).dataset)
    return dict(plan=asdict(plan), worlds=counts)


def caption(facts: Dict[str, Any], runs: str) -> str:
    """Returns what the numbers are.

    Args:
        facts: settings and worlds.
        runs: path of the list of runs, from the page.
    """
    plan, worlds = facts['plan'], facts['worlds']
    return (f'mAP as nuscenes-devkit defines it on {worlds["report"]["keyframes"]} keyframes of '
            f'{worlds["report"]["scenes"]} scenes of a world of which nothing was learned or chosen; the '
            f'grid ends {plan["reach_m"]:g} m to each side, what lies beyond counts as missed. Encoders: '
            f'trained once for every {plan["seeds_per_group"]} seeds, {plan["epochs"]} epochs of '
            f'{worlds["train"]["keyframes"]} keyframes, one sensor shown per sample. Each run: '
            f'{plan["steps"]} steps of {plan["batch_size"]} stored samples ({plan["copies"]} augmented '
            f'copies of each keyframe); dropout makes each sensor absent with probability '
            f'{plan["absent_prob"]}, announced. Brackets: 95 % t-interval of the mean paired '
            f'difference over seeds; "scenes": its standard deviation over {plan["resamples"]} bootstrap '
            'resamples of the scenes; p: paired t-test, Holm-corrected over the fusers of the column, bold '
            f'below 0.05. Corruptions at severity 2. Every single run: [{RUNS_FILE}]({runs}).')
