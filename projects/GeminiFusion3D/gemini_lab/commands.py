"""The instruments' commands of `gemini3d`: an entry point of the group gemini3d.commands names this list."""
from geminifusion3d.commands.main import CHAIN, DATA, LOOK, MEASURE, Command


def _command(name: str, group: str, summary: str, module: str) -> Command:
    return Command(name, group, summary, f'{__package__}.{module}')


COMMANDS = (
    _command('synthetic', DATA, 'writes a synthetic world in the schema of nuScenes', 'synthetic.command'),
    _command('check-data', DATA, 'checks generic records and every file they name', 'analysis.check_data'),
    _command('score-ground-truth', DATA, "a dataset's own boxes must score 1", 'analysis.score_ground_truth'),
    _command('draw', LOOK, 'points and true boxes of a keyframe in six pictures and from above', 'draw'),
    _command('draw-kitti', LOOK, 'points and labelled boxes of a KITTI frame', 'draw_kitti'),
    _command('report', LOOK, 'one HTML page of an evaluated run, for any browser', 'report.command'),
    _command('predictions', LOOK, 'inspects, compares and draws results files', 'report.predictions'),
    _command('evaluate', MEASURE, 'the score of a results file by distance, motion, weather, ...',
             'analysis.evaluate'),
    _command('world-statistics', MEASURE, 'objects and clouds of datasets side by side',
             'analysis.world_statistics'),
    _command('ensemble', MEASURE, 'fuses results files into one', 'analysis.ensemble'),
    _command('robustness', MEASURE, 'scores under corrupted and silent sensors, and what --tta gains',
             'robustness.command'),
    _command('compare', MEASURE, 'trains every fuser, several seeds each', 'compare.command'),
    _command('decide', MEASURE, 'does a fuser pay? paired seeds, with intervals', 'decide.command'),
    _command('compare-tasks', MEASURE, 'trains fusers, sensors, maps or KITTI', 'compare.tasks'),
    _command('benchmark', MEASURE, 'times parts beside what else does the same', 'benchmark.command'),
    _command('stats', MEASURE, 'parameters and multiply-adds of recipes, stage by stage', 'cost.stats'),
    _command('memory', MEASURE, 'how much GPU memory a training step needs, without a GPU', 'cost.memory'),
    _command('evaluation-tables', MEASURE, 'writes tables into a page', 'robustness.evaluation_tables'),
    _command('check', CHAIN, 'checks this environment and says what to do about each problem', 'check'),
    _command('demo', CHAIN, 'all on a synthetic world: data, training, scores, submission, report', 'demo'),
    _command('keyframe', CHAIN, 'overfits one real keyframe: do calibration and boxes fit?', 'keyframe'),
    _command('kitti-frames', CHAIN, 'overfits a few real KITTI frames, for the same', 'kitti_frames'),
)
