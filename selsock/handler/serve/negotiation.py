# SPDX-License-Identifier: Apache-2.0
"""negotiation: which content coding a client takes (RFC 9110 §12.5.3), of those that a file may lie there in."""

from selsock.handler.head import TOKEN

# Content coding and suffix, the best first, where the client likes them equally.
CODINGS = (("br", ".br"), ("zstd", ".zst"), ("gzip", ".gz"))


def acceptable(value: bytes | None) -> "list[tuple[str, str]]":
    """Those of ``CODINGS`` that a client with this Accept-Encoding likes no less than none at all, the best first.

    None of them if there is no such field, or if it is malformed: what is not coded, everybody can read.  It is also
    what is sent if the client refuses just that, and there is nothing else (§12.4.1 leaves the choice between this and
    406).
    """
    weights = parse_weights(value) if value is not None else {}
    other = weights.get("*", 0)
    plain = weights.get("identity", other)
    liked = [(weights.get(coding, other), coding, suffix) for coding, suffix in CODINGS]
    liked.sort(key=lambda entry: -entry[0])
    return [(coding, suffix) for weight, coding, suffix in liked if weight and weight >= plain]


def parse_weights(value: bytes) -> "dict[str, int]":
    """The weight of each coding in thousandths, by its name in lower case; {} if any of it is malformed.

    The first counts of those with one name; x-gzip is gzip (§8.4.1.3).
    """
    found: dict[str, int] = {}
    for part in value.split(b","):
        element = part.strip(b" \t")
        if not element:
            continue
        coding, semicolon, parameter = element.partition(b";")
        coding = coding.rstrip(b" \t").lower()
        weight = parse_weight(parameter.lstrip(b" \t")) if semicolon else 1000
        if not coding or coding.translate(None, TOKEN) or weight is None:
            return {}
        found.setdefault("gzip" if coding == b"x-gzip" else coding.decode(), weight)
    return found


def parse_weight(parameter: bytes) -> int | None:
    """``q=0.5`` (§12.4.2) in thousandths, None for what is no weight."""
    name, _, number = parameter.partition(b"=")
    whole, _, fraction = number.partition(b".")
    if (
        name.lower() != b"q"
        or whole not in (b"0", b"1")
        or len(fraction) > 3
        or fraction.translate(None, b"0123456789")
    ):
        return None
    weight = int(whole) * 1000 + int(fraction.ljust(3, b"0"))
    return weight if weight <= 1000 else None
