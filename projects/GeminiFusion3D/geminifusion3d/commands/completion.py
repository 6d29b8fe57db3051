"""Prints the shell's completion of commands and flags.

Example:
    source <(gemini3d completion bash)
    gemini3d completion zsh >> ~/.zshrc
"""
import argparse
from typing import List

# zsh understands bash's completion after bashcompinit. Files are completed where no word fits.
SCRIPT = """\
_gemini3d() {
    local words="@commands"
    ((COMP_CWORD > 1)) && case "${COMP_WORDS[1]} ${COMP_WORDS[2]}" in
@cases
    esac
    COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _gemini3d gemini3d"""
CASE = '        {pattern}) words="{words}" ;;'
ZSH = 'autoload -Uz compinit bashcompinit && compinit && bashcompinit'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the shell."""
    parser.add_argument('shell', choices=['bash', 'zsh'], help='whose completion')


def run(args: argparse.Namespace) -> None:
    """Prints the script."""
    if args.shell == 'zsh':
        print(ZSH)
    print(script())


def script() -> str:
    """Returns the completion of this installation's commands."""
    from .main import all_commands, make_parser
    commands = all_commands()
    cases: List[str] = []
    for name in sorted(commands):
        parser = make_parser(commands[name])
        cases += [CASE.format(pattern=f'"{name} {inner}"', words=' '.join(sub_parser.flags()))
                  for inner, sub_parser in parser.commands.items()]
        cases.append(CASE.format(pattern=f'"{name} "*', words=' '.join([*parser.commands, *parser.flags()])))
    return SCRIPT.replace('@commands', ' '.join(sorted(commands))).replace('@cases', '\n'.join(cases))
