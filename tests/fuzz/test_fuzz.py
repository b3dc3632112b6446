# SPDX-License-Identifier: Apache-2.0
"""The fuzzer is worth its time: it finds what is put there to be found, and what it lets pass is documented."""

from collections.abc import Callable
from pathlib import Path

import pytest

from selsock.errors import PeerFault
from selsock.handler import head as head_module
from selsock.handler.head import CHUNKED, HeadBuffer
from selsock.handler.serve import body as body_module
from selsock.handler.serve.body import Body
from selsock.model import Limits
from tests.fuzz.__main__ import PARSERS, ROUND, main
from tests.fuzz.compare import WHOLE, disagreement, execute
from tests.fuzz.differences import DIFFERENCES, Difference
from tests.fuzz.inputs import Inputs
from tests.fuzz.reading import Message, read_ours
from tests.unit.test_head import ACCEPT

PARSER = {parser.name: parser for parser in PARSERS}


def ours(data: bytes) -> list[Message]:
    """The messages in ``data``."""
    return read_ours(data, Limits(), lambda: WHOLE, lambda: WHOLE)[0]


def found_within(executions: int, seed: int = 1) -> str:
    """The first finding of ``seed``, or nothing."""
    inputs = Inputs(seed)
    for number in range(executions):
        if finding := execute(inputs.next(), PARSERS, number).finding:
            return finding
    return ""


# ---- what is put there


def both_lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Transfer-Encoding wins over Content-Length, as many a proxy has it."""

    def content_length(fields: dict[bytes, bytes], minor: int, limits: Limits) -> int:
        return CHUNKED if b"transfer-encoding" in fields else original(fields, minor, limits)

    original = head_module.content_length
    monkeypatch.setattr(head_module, "content_length", content_length)


def lengths_in_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two Content-Lengths the first counts."""

    def content_length(fields: dict[bytes, bytes], minor: int, limits: Limits) -> int:
        first = {name: value.partition(b",")[0] for name, value in fields.items()}
        return original(first if b"content-length" in fields else fields, minor, limits)

    original = head_module.content_length
    monkeypatch.setattr(head_module, "content_length", content_length)
    monkeypatch.setattr(head_module, "SINGLE", ())


def space_before_colon(monkeypatch: pytest.MonkeyPatch) -> None:
    """``Content-Length : 5`` is Content-Length."""
    original = head_module.field_name
    monkeypatch.setattr(head_module, "field_name", lambda name: original(name.rstrip(b" \t")))


def line_feed_in_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one takes for a value, another takes for two lines."""
    monkeypatch.setattr(head_module, "VALUE", head_module.VALUE + b"\n")


def carriage_return_in_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with CR."""
    monkeypatch.setattr(head_module, "VALUE", head_module.VALUE + b"\r")


def chunk_line(bend: Callable[[bytes], bytes]) -> Callable[[pytest.MonkeyPatch], None]:
    """Every line of chunks and trailers goes through ``bend`` first."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        original = Body.line
        monkeypatch.setattr(Body, "line", lambda self, most, fault: bend(original(self, most, fault)))

    return plant


def unchecked_extension(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anything up to CRLF, bare line feeds included."""
    monkeypatch.setattr(body_module, "check_extension", lambda text: None)


def unchecked_end_of_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two bytes behind a chunk are skipped, whatever they are."""
    original = Body.line

    def line(self: Body, most: int, fault: PeerFault) -> bytes:
        if most:
            return original(self, most, fault)
        while self.buffer.filled - self.buffer.start < 2:
            self.wait(lambda deadline: self.buffer.receive(self.client, deadline))
        self.use(self.buffer.start + 2)
        return b""

    monkeypatch.setattr(Body, "line", line)


def trailers_of_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message ends one line early, where there are trailers."""
    monkeypatch.setattr(Body, "trailers", lambda self: self.line(4096, PeerFault(431, "")))


def settles_one_byte_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte is lost when the buffer is full: it shows in some arrivals alone."""
    original = HeadBuffer.settle

    def settle(self: HeadBuffer) -> None:
        if self.filled == len(self.data) and self.start < self.filled:
            self.filled -= 1
        original(self)

    monkeypatch.setattr(HeadBuffer, "settle", settle)


PLANTED = {
    "Transfer-Encoding and Content-Length": both_lengths,
    "two Content-Lengths": lengths_in_a_list,
    "a space before the colon": space_before_colon,
    "LF in a value": line_feed_in_value,
    "CR in a value": carriage_return_in_value,
    "white space behind a chunk's size": chunk_line(lambda line: line.rstrip(b" \t")),
    "0x before a chunk's size": chunk_line(lambda line: line.removeprefix(b"0x")),
    "NUL in a chunk's line": chunk_line(lambda line: line.replace(b"\0", b"")),
    "extensions of any kind": unchecked_extension,
    "a chunk that ends in anything": unchecked_end_of_chunk,
    "trailers of one line": trailers_of_one_line,
    "a byte lost in a full buffer": settles_one_byte_short,
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_defect_is_found(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Within the rounds that `make check` runs; each would let somebody smuggle a request."""
    PLANTED[name](monkeypatch)
    assert "" != found_within(2 * ROUND)


def test_defect_in_the_parser_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is raised that is no refusal."""
    monkeypatch.delattr(head_module, "too_much_content")
    assert found_within(ROUND).startswith("a defect: NameError: ")


# ---- what passes


@pytest.mark.parametrize("parser", PARSER)
def test_accepted_messages_are_read_alike(parser: str) -> None:
    """Every message of ``tests/wire/accept``."""
    data = {path.stem: path.read_bytes() for path in ACCEPT}
    assert dict.fromkeys(data, "") == {
        name: disagreement(text, ours(text), PARSER[parser]()) for name, text in data.items()
    }


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.name)
def test_documented_difference_is_there(difference: Difference) -> None:
    """The parser does read the example so, and only this difference covers it; one that is gone is to be taken out."""
    (message,) = ours(difference.example)
    theirs = PARSER[difference.parser]().read(difference.example, 0, message.end)
    assert ("", True) == (difference.as_read(message).differs(theirs), message.differs(theirs) != "")
    others = [other for other in DIFFERENCES if other is not difference and other.parser == difference.parser]
    assert [message] * len(others) == [other.as_read(message) for other in others]


@pytest.mark.parametrize("mine", [True, False])
def test_connection_may_end_earlier_and_never_later(mine: bool) -> None:
    """A message that we take for the last, and another does not, is refused nothing by anybody."""
    message = Message(b"GET", b"/", {}, b"", mine, 10)
    other = Message(b"GET", b"/", {}, b"", not mine, 10)
    assert ("" if mine else "last is False and True") == message.differs(other)


def test_inputs_are_the_same_for_the_same_seed() -> None:
    """So that a report can be run again; and others for another."""
    first, again, other = Inputs(1), Inputs(1), Inputs(2)
    inputs = [first.next() for _ in range(50)]
    assert inputs == [again.next() for _ in range(50)]
    assert inputs != [other.next() for _ in range(50)]


def test_inputs_are_accepted_often_enough() -> None:
    """What is refused at once tells nothing: of a thousand a fifth has a message, and thirty have several."""
    inputs = Inputs(1)
    accepted = [len(ours(inputs.next())) for _ in range(1000)]
    assert 200 < sum(number > 0 for number in accepted)
    assert 30 < sum(number > 1 for number in accepted)


def test_run_without_findings_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    """And says how much it has done."""
    assert 0 == main(["--seed", "1", "--seconds", "0.5"])
    assert " 0 findings of 0 kinds" in capsys.readouterr().out


def test_run_with_a_finding_fails_and_keeps_the_least_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """In a file, and on one line."""
    monkeypatch.chdir(tmp_path)
    both_lengths(monkeypatch)
    assert 1 == main(["--seed", "1", "--seconds", "2"])
    assert "seed 1, execution " in capsys.readouterr().out
    found = [path.read_bytes() for path in (tmp_path / "build" / "fuzz").iterdir()]
    assert 0 < len(found)
    assert [] == [data for data in found if len(data) >= 400 or execute(data, PARSERS, 0).finding == ""]
