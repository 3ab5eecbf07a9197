"""`deskbus completion`: a script with which a shell completes commands, options and methods."""

from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Callable, Iterator

from deskbus.commands.backend.method_descriptions import CALLABLE
from deskbus.commands.terminal import output

Words = dict[str, list[str]]
"""The possible next words, by the commands that were typed, as "" or "vault" or "vault rotate"."""

_BASH = """\
# deskbus: completion for bash. Load it with: source <(deskbus completion bash)
_deskbus() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" path="" word index words=""
    for ((index = 1; index < COMP_CWORD; index++)); do
        word="${{COMP_WORDS[index]}}"
        case "${{path:+$path }}$word" in
{paths}
        esac
    done
    case "$path" in
{cases}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F _deskbus deskbus
"""
_ZSH = """\
#compdef deskbus
# deskbus: completion for zsh. Load it with: source <(deskbus completion zsh)
_deskbus() {{
    local at="" word index
    local -a candidates
    for ((index = 2; index < CURRENT; index++)); do
        word="${{words[index]}}"
        case "${{at:+$at }}$word" in
{paths}
        esac
    done
    case "$at" in
{cases}
    esac
    compadd -- $candidates
    _files
}}
(( $+functions[compdef] )) || {{ autoload -Uz compinit && compinit; }}
compdef _deskbus deskbus
"""
_FISH = """\
# deskbus: completion for fish. Load it with: deskbus completion fish | source
function __deskbus_at
    set -l path
    for word in (commandline -opc)[2..-1]
        switch "$path $word"
{paths}
        end
    end
    test "$path" = "$argv[1]"
end
{cases}
"""


def run(options: Namespace) -> int:
    # Imported here: the command line imports this module in turn.
    from deskbus.cli import parser

    output.write(_SCRIPTS[options.shell](words_of(parser())))
    return 0


def words_of(root: ArgumentParser) -> Words:
    """Every command, option, choice and method, by what stands before it."""
    return {" ".join(path): sorted(set(_words(path, each))) for path, each in _walk((), root)}


def _walk(
    path: tuple[str, ...], parser: ArgumentParser
) -> Iterator[tuple[tuple[str, ...], ArgumentParser]]:
    yield path, parser
    for action in parser._actions:  # noqa: SLF001  # argparse has no other way to look
        if isinstance(action, _SubParsersAction):
            for name, child in action.choices.items():
                yield from _walk((*path, name), child)


def _words(path: tuple[str, ...], parser: ArgumentParser) -> Iterator[str]:
    for action in parser._actions:  # noqa: SLF001
        yield from action.option_strings
        yield from map(str, action.choices or ())
    if path == ("call",):
        yield from CALLABLE


def _bash(words: Words) -> str:
    return _BASH.format(
        paths=_lines(words, lambda path, _: f'"{path}") path="{path}" ;;', 12),
        cases=_lines(words, lambda path, found: f'"{path}") words="{" ".join(found)}" ;;', 8),
    )


def _zsh(words: Words) -> str:
    return _ZSH.format(
        paths=_lines(words, lambda path, _: f'"{path}") at="{path}" ;;', 12),
        cases=_lines(words, lambda path, found: f'"{path}") candidates=({" ".join(found)}) ;;', 8),
    )


def _fish(words: Words) -> str:
    def case(path: str, _found: list[str]) -> str:
        parent, _space, last = path.rpartition(" ")
        return f'case "{parent} {last}"; set path "{path}"'

    def complete(path: str, found: list[str]) -> str:
        return f"complete -c deskbus -n '__deskbus_at \"{path}\"' -a '{' '.join(found)}'"

    return _FISH.format(paths=_lines(words, case, 12), cases=_lines(words, complete, 0))


def _lines(words: Words, line: Callable[[str, list[str]], str], indent: int) -> str:
    """A line for each path; the empty one has no command to recognize it by."""
    paths = words.items() if indent != 12 else [each for each in words.items() if each[0]]
    return "\n".join(" " * indent + line(path, found) for path, found in paths)


_SCRIPTS = {"bash": _bash, "zsh": _zsh, "fish": _fish}
