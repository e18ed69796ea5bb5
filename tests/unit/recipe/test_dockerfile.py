from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.errors import InputError
from ropewalk.recipe.dockerfile import Instruction, expand, parse, stage_values

VALUES = {"X": "1", "EMPTY": ""}


def single(text: str) -> Instruction:
    (instruction,) = parse(f"FROM a\n{text}").stages[0].instructions
    return instruction


def test_stages_with_lines_aliases_and_platform() -> None:
    text = """\
# syntax=docker/dockerfile:1
ARG VERSION=1 \\
    OTHER
# a comment
FROM --platform=linux/amd64 \\
    r/a:${VERSION} AS Build

RUN one
from r/b
"""
    parsed = parse(text)
    assert parsed.arguments == (("VERSION", "1"), ("OTHER", None))
    first, second = parsed.stages
    assert (first.base, first.alias, first.platform) == ("r/a:1", "build", "linux/amd64")
    assert (first.line, first.last_line) == (5, 6)
    assert (second.base, second.alias, second.line) == ("r/b", "", 9)
    assert [(item.keyword, item.value, item.line) for item in first.instructions] == [("RUN", "one", 8)]


@pytest.mark.parametrize(
    ("text", "value", "last_line"),
    [
        ("RUN a \\\n  b", "a   b", 3),
        ("RUN a \\  \n  b", "a   b", 3),
        ("RUN a \\\n# note\n\n  && b", "a   && b", 5),
        ("RUN a \\\n  # note\n  b \\\n", "a   b", 5),
        ("  run   a", "a", 2),
        ("RUN a # no comment", "a # no comment", 2),
        ("RUN a\\\\", "a\\", 2),
        ('RUN ["a", "b c"]', '["a", "b c"]', 2),
        ("RUN <<EOF\na\n# kept\n  b\nEOF", "<<EOF\na\n# kept\n  b\nEOF", 6),
        ("RUN <<-'E' cat\n\ta\n\tE", "<<-'E' cat\na\nE", 4),
        ("COPY <<A <<B /x/\n1\nA\n2\nB", "<<A <<B /x/\n1\nA\n2\nB", 6),
        ("RUN echo $((1<<2))", "echo $((1<<2))", 2),
        ("RUN cat <<<word", "cat <<<word", 2),
        ("RUN echo '<<EOF'", "echo '<<EOF'", 2),
        ('RUN ["sh", "-c", "echo \\"a\\" <<EOF\\nEOF"]', '["sh", "-c", "echo \\"a\\" <<EOF\\nEOF"]', 2),
        ("CMD --flag x", "--flag x", 2),
        ("LABEL a=<<EOF", "a=<<EOF", 2),
        ("ONBUILD COPY --from=x a b", "COPY --from=x a b", 2),
    ],
)
def test_values(text: str, value: str, last_line: int) -> None:
    found = single(text)
    assert (found.value, found.last_line) == (value, last_line)


def test_flags() -> None:
    found = single('COPY --from=build --chown="1:1" --link a b')
    assert found.flags == (("from", "build"), ("chown", "1:1"), ("link", ""))
    assert (found.value, found.flag("from"), found.flag("none")) == ("a b", "build", "")


def test_windows_line_ends_and_a_byte_order_mark() -> None:
    parsed = parse("\ufeffFROM a\r\nRUN b \\\r\n  c\r\n")
    assert parsed.stages[0].instructions[0].value == "b   c"


def test_the_escape_directive() -> None:
    parsed = parse("# escape=`\nFROM a\nRUN b `\n  c\\\n")
    assert parsed.stages[0].instructions[0].value == "b   c\\"


def test_a_directive_below_a_comment_is_a_comment() -> None:
    assert parse("# note\n# escape=`\nFROM a\nRUN b \\\n c\n").stages[0].instructions[0].value == "b  c"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$X-${X}", "1-1"),
        ("${NONE:-d}${EMPTY:-e}${EMPTY-f}", "de"),
        ("${X:+y}${NONE:+z}${EMPTY+w}", "yw"),
        ("${NONE:-${X}}", "1"),
        ("${NONE:-a}b}", "ab}"),
        ("${N:-" * 22 + "a" + "}" * 22, "${N:-a}"),
        ("\\$X \\\\", "$X \\"),
        ("$", "$"),
        ("${X", "${X"),
        ("$1", "$1"),
        ("${X:?no}", "1"),
        ("${}", ""),
    ],
)
def test_expand(text: str, expected: str) -> None:
    assert expand(text, VALUES) == expected


def test_a_stages_values_come_from_its_arguments() -> None:
    parsed = parse("ARG A=1\nARG B=$A\nARG C=3\nFROM a\nARG A\nARG B=$A-x D\nARG E=e\n")
    assert stage_values(parsed, parsed.stages[0]) == {"A": "1", "B": "1-x", "E": "e"}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "F:1: there is no FROM"),
        ("# only\n", "F:1: there is no FROM"),
        ("ARG A\nRUN x\nFROM a\n", "F:2: `RUN` stands before FROM"),
        ("FROM a\n\nRUNN x\n", "F:3: unknown instruction `RUNN`"),
        ("FROM a\nRUN\n", "F:2: `RUN` has no arguments"),
        ("FROM a b c\n", "F:1: `FROM a b c` cannot be read"),
        ("FROM a AS -x\n", "F:1: `FROM a AS -x` cannot be read"),
        ("ARG A\nFROM $A\n", "F:2: `FROM $A` names no image once its arguments are put in"),
        ("FROM a\nRUN <<EOF\nb\n", "F:2: the heredoc `EOF` does not end"),
        ("FROM a\nARG X='\n", "F:2: `ARG X='`: No closing quotation"),
        ("# escape=x\nFROM a\n", "F:1: the escape directive says `x`"),
    ],
)
def test_faults_name_the_line(text: str, error: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text, "F")
    assert str(caught.value) == error


WORDS = st.sampled_from(["a", "\\", "$X", "${Y:-", "}", "<<EOF", "--from=b", "'", '"', "#", "AS", "x=1", "\t"])
LINES = st.builds(
    lambda keyword, words: " ".join([keyword, *words]),
    st.sampled_from(["FROM", "RUN", "COPY", "ARG", "EOF", "#", "", "ENV", "# escape="]),
    st.lists(WORDS, max_size=5),
)


@given(st.lists(LINES, max_size=12).map("\n".join))
def test_any_text_gives_stages_in_order_or_an_error_of_ours(text: str) -> None:
    with suppress(InputError):
        parsed = parse(text)
        lines = [line for stage in parsed.stages for line in (stage.line, *(item.line for item in stage.instructions))]
        assert lines == sorted(set(lines))
        assert lines[-1] <= len(text.split("\n"))


INSTRUCTION = st.tuples(
    st.sampled_from(["RUN", "ENV", "LABEL", "WORKDIR", "CMD"]),
    st.lists(st.text("abc=/.[]$", min_size=1, max_size=6), min_size=1, max_size=4),
)


@given(st.lists(st.lists(INSTRUCTION, max_size=5), min_size=1, max_size=4), st.booleans(), st.booleans())
def test_what_is_written_is_read_back(stages: list[list[tuple[str, list[str]]]], broken: bool, noted: bool) -> None:  # noqa: FBT001 - hypothesis gives them
    """Continuations and comments between words change nothing but the lines."""
    glue = " \\\n" + ("# note\n" if noted else "") if broken else " "
    text = ""
    for number, stage in enumerate(stages):
        text += f"FROM image{number} AS stage{number}\n"
        text += "".join(f"{keyword} {glue.join(words)}\n" for keyword, words in stage)
    parsed = parse(text)
    assert [stage.base for stage in parsed.stages] == [f"image{number}" for number in range(len(stages))]
    read = [[(item.keyword, item.value.split()) for item in stage.instructions] for stage in parsed.stages]
    assert read == stages
