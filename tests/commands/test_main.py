"""The one command: what it lists, what it answers to a slip of the finger, and what --help costs."""
import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from ten_objects import VERSION, perfect_submission, write_ten_objects

import geminifusion3d
from geminifusion3d.commands.arguments import ELSEWHERE
from geminifusion3d.commands.main import COMMANDS, GROUPS, all_commands, find, make_parser, parse
from geminifusion3d.errors import UserError

REPO = Path(__file__).parents[2]
# What takes seconds to import, and nothing that reads arguments or a submission needs.
HEAVY = ('torch', 'mmcv', 'mmdet', 'mmdet3d', 'spconv')


def test_the_overview_lists_every_command_in_a_group(gemini3d):
    done = gemini3d('--help')
    assert done.returncode == 0
    for name, command in all_commands().items():
        assert command.group in GROUPS and re.search(rf'^  {name}  .*\w', done.stdout, re.M)


def test_the_instruments_are_installed():
    assert {'synthetic', 'report', 'demo'} <= set(all_commands()), 'run `make setup`'


def test_a_copy_without_the_instruments_has_the_products_commands(monkeypatch):
    monkeypatch.setattr('geminifusion3d.commands.main.entry_points', lambda group: [])
    assert set(all_commands()) == {command.name for command in COMMANDS}
    with pytest.raises(UserError, match='no command synthetic; .* not installed.* pip install -e'):
        find('synthetic')


def test_messages_say_the_flags_of_help_not_their_old_names():
    sources = [path.read_text() for path in sorted((REPO / 'projects' / 'GeminiFusion3D').rglob('*.py'))]
    old = {flag for text in sources for call in re.findall(r'add_alias\(([^)]*)\)', text)
           for flag in re.findall(r"'(--[\w-]+)'", call)}
    old -= {flag for text in sources for flag in re.findall(r"add_argument\(\s*'(--[\w-]+)'", text)}
    assert '--root-path' in old and '--dataroot' not in old
    said = [line for text in sources for line in text.splitlines() if 'add_alias(' not in line
            for flag in old if re.search(rf"'[^']*{flag}(?![\w-])", line)]
    assert said == []


@pytest.mark.parametrize('name', sorted(all_commands()))
def test_every_command_explains_itself_with_an_example(gemini3d, name):
    done = gemini3d(name, '--help')
    assert done.returncode == 0
    assert f'gemini3d {name}' in done.stdout.partition('Example:')[2]


@pytest.mark.parametrize('words, message', [
    (['trian'], 'no command trian; did you mean train?'),
    (['zzz'], 'no command zzz; gemini3d --help lists them'),
    (['train', '--wrok-dir', 'a'], 'has no --wrok-dir, did you mean --work-dir?'),
    (['train', 'a.py', '--show-dir', 'a'], 'has no --show-dir: gemini3d test takes it'),
    (['train', 'a.py', '--work_dir', 'a'], 'has no --work_dir, did you mean --work-dir'),
    (['train', 'a.py', '--resume_from', 'a'], 'has no --resume_from: write --resume FILE'),
    (['test', 'a.py', 'b.pth', '--eval', 'bbox'], 'has no --eval: leave it out'),
    (['test', 'a.py', 'b.pth', '--show'], 'has no --show: no window is opened'),
    (['demo', '--out', 'a'], 'demo has no --out; gemini3d demo --help'),
    (['report', 'nowhere'], 'nowhere does not exist; expected what gemini3d test or export has written'),
    (['validate', 'a.json', '--split', 'val'], 'a.json does not exist; '),
    (['convert', '--dataroot', 'nowhere'], 'nowhere does not exist; name the folder of a nuScenes dataset'),
    (['train'], 'the following arguments are required: config'),
    (['train', 'a.py', '--cfg-options', 'lr'], "got 'lr', expected KEY=VALUE"),
    (['evaluate', 'score', 'a.json', '--spilt', 'val'], 'score has no --spilt, did you mean --split?')])
def test_a_slip_is_answered_in_one_sentence(gemini3d, words, message):
    done = gemini3d(*words)
    assert done.returncode == 2 and done.stdout == ''
    assert message in done.stderr and done.stderr.startswith('error: ') and done.stderr.count('\n') == 1


def test_the_version_is_said_with_its_place(gemini3d):
    done = gemini3d('--version')
    assert done.returncode == 0
    assert done.stdout == f'gemini3d {geminifusion3d.__version__}, {Path(geminifusion3d.__file__).parent}\n'


def test_words_of_mmdet3d_are_explained_where_ours_differ():
    known = make_parser(next(command for command in COMMANDS if command.name == 'test')).flags()
    for flag in ELSEWHERE:
        words = ['train', 'a.py'] if flag in known else ['test', 'a.py', 'b.pth']
        with pytest.raises(UserError, match=f'has no {flag}: '):
            parse(*words, flag, 'x')


def test_old_names_mean_the_same_and_are_not_shown():
    assert parse('validate', 'a.json', '--data-root', 'a').dataroot == parse(
        'validate', 'a.json', '--dataroot', 'a').dataroot == Path('a')
    assert '--data-root' not in make_parser(all_commands()['validate']).format_help()


@pytest.mark.parametrize('shell', ['bash', 'zsh'])
def test_completion_knows_commands_flags_and_inner_commands(gemini3d, shell):
    script = gemini3d('completion', shell).stdout

    def reply(words: str, at: int) -> list:
        code = script.replace('autoload', ': autoload').replace('&& compinit && bashcompinit', '')
        code += f'\nCOMP_WORDS=(gemini3d {words}); COMP_CWORD={at}; _gemini3d; echo "${{COMPREPLY[@]}}"'
        return subprocess.run(['bash', '-c', code], text=True, capture_output=True, check=True).stdout.split()

    assert reply('tra', 1) == ['train']
    assert reply('train --am', 2) == ['--amp']
    assert {'fusion', 'splat'} <= set(reply('benchmark ""', 2))
    assert reply('benchmark fusion --cel', 3) == ['--cells']


def measured(*words: str) -> 'tuple[float, subprocess.CompletedProcess[str]]':
    """Returns the CPU seconds of a command line in a process of its own, and what it left."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = ('import sys\nfrom geminifusion3d.commands.main import execute\n'
            'from geminifusion3d.errors import UserError\n'
            'try:\n    execute(sys.argv[1:])\nexcept (UserError, SystemExit):\n    pass\n'
            f'print("heavy:", *(name for name in {HEAVY} if name in sys.modules))')
    ended = subprocess.run([sys.executable, '-c', code, *words], text=True, capture_output=True, cwd=REPO)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, ended


@pytest.mark.parametrize('words, limit_s', [
    (['--help'], 1), (['train', '--help'], 1), (['train', 'a.py', '--wrok-dir', 'a'], 1),
    (['completion', 'bash'], 1), (['validate', '--help'], 1), (['report', '--help'], 1),
    (['benchmark', 'fusion', '--help'], 1)])
def test_arguments_are_read_before_anything_heavy_is_imported(words, limit_s):
    cpu_s, ended = measured(*words)
    assert ended.stdout.endswith('heavy:\n'), ended.stdout[-200:] + ended.stderr
    assert cpu_s < limit_s


def test_a_submission_is_judged_without_torch(tmp_path):
    root = write_ten_objects(tmp_path / 'nuscenes')
    (tmp_path / 'r.json').write_text(json.dumps(perfect_submission()))
    _, ended = measured('validate', str(tmp_path / 'r.json'), '--dataroot', str(root), '--version', VERSION,
                        '--split', 'mini_val')
    assert ': valid, ' in ended.stdout and ended.stdout.endswith('heavy:\n'), ended.stdout + ended.stderr
