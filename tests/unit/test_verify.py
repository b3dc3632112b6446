# SPDX-License-Identifier: Apache-2.0
"""verify: constraints as the kernel evaluates them, promises as vhost.yaml makes them, and what is told of the two."""

import json
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from selsock.ctl.__main__ import main
from selsock.ctl.verify import findings
from selsock.ctl.verify.access import KINDS, kind_of
from selsock.ctl.verify.constraints import Constraint
from selsock.ctl.verify.contexts import Labelled, files, process
from selsock.ctl.verify.judging import Judge, Place
from selsock.ctl.verify.matrix import Builder, Matrix
from selsock.ctl.verify.page import page
from selsock.ctl.verify.policy import Policy, Rule, opened, read
from selsock.ctl.verify.probing import chosen
from selsock.ctl.verify.promises import ALL, NOTHING, Promises
from selsock.ctl.verify.report import as_json, in_words
from selsock.ctl.verify.result import Result
from selsock.ctl.verify.tenants import Tenant, tenants
from selsock.generate.faults import MachineFault
from selsock.mls.levels import Level
from tests.unit.test_generate_configuration import configured

# A whole policy, with constraints of every form: of levels, types, roles and users, with and, or and not.
SMALL = """
(handleunknown deny) (mls true)
(class file (read write append execute)) (class process (sigkill signal ptrace dyntransition))
(class dir (read))
(classorder (file process dir))
(sid kernel) (sidorder (kernel))
(user system_u) (user dog_u) (role object_r) (role system_r) (role dog_r)
(sensitivity s0) (sensitivity s1) (sensitivityorder (s0 s1))
(category c0) (category c1) (category c2) (categoryorder (c0 c1 c2))
(sensitivitycategory s0 (c0 c1 c2)) (sensitivitycategory s1 (c0 c1 c2))
(type kernel_t) (type one_t) (type two_t) (type free_t) (type one_content_t)
(typeattribute held) (typeattributeset held (one_t two_t))
(roletype system_r kernel_t) (roletype system_r one_t) (roletype system_r two_t) (roletype system_r free_t)
(roletype dog_r one_t) (roletype object_r one_content_t)
(userrole system_u system_r) (userrole system_u object_r) (userrole dog_u dog_r) (userrole system_u dog_r)
(userlevel system_u (s0)) (userrange system_u ((s0) (s1 (c0 c1 c2))))
(userlevel dog_u (s0)) (userrange dog_u ((s0) (s1 (c0 c1 c2))))
(sidcontext kernel (system_u system_r kernel_t ((s0) (s0))))
(boolean opens false)
(typepermissive free_t)
(allow held one_content_t (file (read write)))
(allow free_t one_content_t (file (read)))
(allow held held (process (sigkill signal ptrace)))
(allow one_t two_t (process (dyntransition)))
(booleanif opens (true (allow free_t one_content_t (file (write)))))
(mlsconstrain (file (read)) (or (dom h1 h2) (neq t1 held)))
(mlsconstrain (file (write)) (and (eq l1 l2) (not (eq u1 dog_u))))
(constrain (process (sigkill)) (eq t1 t2))
(constrain (process (signal)) (or (eq u1 u2) (eq r2 object_r)))
(mlsconstrain (process (ptrace)) (incomp l1 l2))
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    """That policy, compiled, as setools reads it."""
    place = tmp_path_factory.mktemp("policy")
    (place / "small.cil").write_text(SMALL)
    subprocess.run(["secilc", "-o", "policy", "-f", "/dev/null", "small.cil"], check=True, cwd=place)
    return read(opened(place / "policy"), ("one_t", "two_t", "free_t"), ("one_content_t",))


def dog(level: str) -> Labelled:
    """A process of one_t, of another user."""
    return Labelled("dog_u", "dog_r", "one_t", Level.parse(level), "dog")


@pytest.mark.parametrize(
    ("source", "target", "tclass", "permission", "allowed"),
    [
        # (dom h1 h2), for those that are held by it
        (process("one_t", "s0:c0,c1", ""), files("one_content_t", "s0:c0", ""), "file", "read", True),
        (process("one_t", "s0:c0", ""), files("one_content_t", "s0:c0,c1", ""), "file", "read", False),
        (process("one_t", "s0:c0", ""), files("one_content_t", "s1:c0", ""), "file", "read", False),
        (process("one_t", "s1:c0", ""), files("one_content_t", "s0:c0", ""), "file", "read", True),
        (process("free_t", "s0", ""), files("one_content_t", "s1:c0,c1", ""), "file", "read", True),
        # (and (eq l1 l2) (not (eq u1 dog_u)))
        (process("one_t", "s0:c0", ""), files("one_content_t", "s0:c0", ""), "file", "write", True),
        (process("one_t", "s0:c0,c1", ""), files("one_content_t", "s0:c0", ""), "file", "write", False),
        (dog("s0:c0"), files("one_content_t", "s0:c0", ""), "file", "write", False),
        # (eq t1 t2): by name, although both have the same attribute
        (process("one_t", "s0", ""), process("one_t", "s0", ""), "process", "sigkill", True),
        (process("one_t", "s0", ""), process("two_t", "s0", ""), "process", "sigkill", False),
        # (or (eq u1 u2) (eq r2 object_r))
        (process("one_t", "s0", ""), process("two_t", "s0", ""), "process", "signal", True),
        (dog("s0"), process("two_t", "s0", ""), "process", "signal", False),
        # (incomp l1 l2)
        (process("one_t", "s0:c0", ""), process("two_t", "s0:c1", ""), "process", "ptrace", True),
        (process("one_t", "s0:c0", ""), process("two_t", "s0:c0", ""), "process", "ptrace", False),
        # no constraint, and no rule
        (process("one_t", "s0", ""), process("two_t", "s0", ""), "process", "dyntransition", True),
        (process("two_t", "s0", ""), process("one_t", "s0", ""), "process", "dyntransition", False),
        (process("one_t", "s0", ""), files("one_content_t", "s0", ""), "file", "append", False),
        # by a boolean that is off
        (process("free_t", "s0", ""), files("one_content_t", "s0", ""), "file", "write", False),
    ],
)
def test_rules_and_constraints_decide_together(
    small: Policy, source: Labelled, target: Labelled, tclass: str, permission: str, allowed: bool
) -> None:
    """As the kernel does, for two contexts."""
    assert small.may(source, target, tclass, permission) is allowed


def test_who_may_write_and_which_domain_is_permissive(small: Policy) -> None:
    """By an attribute, always; by a boolean, sometimes."""
    tenant = Tenant(("a.example",), (process("two_t", "s0", ""),), (files("one_content_t", "s0", "/srv/a"),))
    (writers,) = findings.writers(small, (tenant,))
    assert writers.content == ("one_content_t",)
    assert writers.always == {"one_t": ("allow held one_content_t:file { read write };",)}
    assert list(writers.sometimes) == ["free_t"]
    assert [fault.problem for fault in findings.unenforced(small)] == [
        "the domain free_t is permissive: it may do anything"
    ]


def test_a_constraint_that_is_not_known_is_no_proof() -> None:
    """Dominance of roles, which no policy has any more, is refused, not passed over."""
    constraint = Constraint(("r1", "r2", "dom"), "constrain file read (r1 dom r2);")
    with pytest.raises(MachineFault) as caught:
        constraint.holds(process("one_t", "s0", ""), files("one_content_t", "s0", ""), lambda name: frozenset((name,)))
    assert str(caught.value) == "a constraint that is not known here: constrain file read (r1 dom r2);"


@pytest.mark.parametrize(
    ("tclass", "permission", "kind"),
    [
        ("file", "read", "read"),
        ("file", "getattr", None),
        ("dir", "search", None),
        ("dir", "add_name", "write"),
        ("file", "entrypoint", "execute"),
        ("process", "dyntransition", "transition"),
        ("process", "fork", None),
        *(("process", word, "signal") for word in ("sigkill", "sigstop", "signal", "signull", "sigchld")),
        ("process", "ptrace", "ptrace"),
        ("fd", "use", "ipc"),
        ("unix_stream_socket", "connectto", "ipc"),
        ("shm", "read", "ipc"),
        ("fifo_file", "write", "ipc"),
        ("capability", "kill", None),
        ("dbus", "send_msg", "ipc"),
    ],
)
def test_kind_of_a_permission(tclass: str, permission: str, kind: str | None) -> None:
    assert kind_of(tclass, permission) == kind


DOMAINS = """domains:
  public: {}
  staff: {reads: [public]}
  shop: {python: true}
  tools: {execute: true}
"""


def vhost(name: str, domain: str, level: str = "auto", more: str = "") -> str:
    """A vhost to which everybody may come."""
    return (
        f"  {name}.example:\n    root: /srv/{name}\n    domain: {domain}\n    range: {level}\n"
        f"    contexts: [{{any: true}}]\n{more}"
    )


def promises(*vhosts: str) -> Promises:
    """What such a configuration promises."""
    return Promises.of(configured(f"{DOMAINS}vhosts:\n{''.join(vhosts)}"))


READS = frozenset(("read",))


@pytest.mark.parametrize(
    ("source", "target", "kinds"),
    [
        (("public", "s0:c0,c1"), ("public_content", "s0:c0,c1"), READS),
        (("public", "s0:c0,c1"), ("public_content", "s0:c0,c2"), NOTHING),
        (("public", "s0:c0,c1"), ("public_content", "s0:c0"), NOTHING),  # content that is read at its level alone
        (("public", "s0:c0,c1"), ("public_content", "s0"), READS),  # whoever has no category shares what he has
        (("staff", "s0:c0,c1"), ("public_content", "s0:c0,c1"), READS),
        (("public", "s0:c0,c1"), ("staff_content", "s0:c0,c1"), NOTHING),
        (("staff", "s0:c0,c1"), ("public_script", "s0:c0,c1"), NOTHING),
        (("shop", "s0:c0,c1"), ("shop_content", "s0:c0,c1"), frozenset(("read", "execute"))),
        (("shop", "s0:c0,c1"), ("shop_rw", "s0:c0,c1"), frozenset(("read", "write"))),
        (("public", "s0:c0,c1"), ("public_rw", "s0:c0,c1"), READS),  # no code of his runs
        (("tools", "s0"), ("tools_script", "s0"), frozenset(("read", "execute"))),
    ],
)
def test_promise_on_files(source: tuple[str, str], target: tuple[str, str], kinds: frozenset[str]) -> None:
    """Of a domain, on what is its own and what it reads, and at which level."""
    given = promises(vhost("a", "public"), vhost("b", "public"))
    one = process(f"selsock_{source[0]}_t", source[1], "")
    assert given.may(one, files(f"selsock_{target[0]}_t", target[1], "/srv"), False) == kinds


CGI = "    content: {/bin: {domain: tools, access: execute}}\n    locations: {/bin: {cgi: {domain: tools}}}\n"


@pytest.mark.parametrize(
    ("source", "target", "kinds"),
    [
        (("public", "s0:c1"), ("public", "s0:c1"), ALL),
        (("public", "s0:c1"), ("public", "s0"), NOTHING),
        (("public", "s0"), ("staff", "s0"), NOTHING),
        (("public", "s0:c0,c1"), ("tools", "s0:c0,c1"), frozenset(("transition", "signal", "ptrace", "read", "ipc"))),
        (("public", "s0:c0,c1"), ("tools", "s0"), NOTHING),
        (("tools", "s0:c0,c1"), ("public", "s0:c0,c1"), frozenset(("signal", "ipc"))),
    ],
)
def test_promise_on_processes(source: tuple[str, str], target: tuple[str, str], kinds: frozenset[str]) -> None:
    """Whoever has the same context is one to the kernel; a CGI location starts programs at the visitor's level."""
    given = promises(vhost("a", "public", more=CGI))
    pair = [process(f"selsock_{name}_t", level, "") for name, level in (source, target)]
    assert given.may(pair[0], pair[1], False) == kinds


def judged(policy: Policy, text: str) -> Matrix:
    """The matrix of the configuration ``text``, by ``policy``."""
    configuration = configured(text)
    return Builder(policy, Promises.of(configuration), tenants(configuration)).matrix(lambda count: None)


def policy_of(*rules: Rule) -> Policy:
    """A policy of ``rules`` alone, without any constraint."""
    found = Policy({}, frozenset())
    for rule in rules:
        found.rules[rule.source, rule.target].append(rule)
    return found


OWN = tuple(
    Rule(f"selsock_{name}_t", f"selsock_{name}_{kind}_t", "file", frozenset(("read",)))
    for name in ("public", "shop")
    for kind in ("content", "rw")
)
TWO = f"{DOMAINS}vhosts:\n{vhost('a', 'public', 's0:c1')}{vhost('b', 'public', 's0:c2')}"


def result_of(matrix: Matrix) -> Result:
    """What is told of ``matrix``."""
    return Result("/etc/<i>vhost.yaml", "/policy&", matrix, (), (), ("a <b>note",), None)


def test_what_is_allowed_and_not_promised_is_named_with_its_rule() -> None:
    """Without constraints, the categories of the two keep nobody out."""
    result = result_of(judged(policy_of(*OWN), TWO))
    rule = "allow selsock_public_t selsock_public_content_t:file read;"
    assert [(fault.problem, fault.rules) for fault in result.faults] == [
        (
            (
                "a.example may read b.example's /srv/b (system_u:object_r:selsock_public_content_t:s0:c2) (and 1 pair like"
                " it), as system_u:system_r:selsock_public_t:s0:c1; vhost.yaml does not promise it"
            ),
            (rule,),
        )
    ]
    told = in_words(result)
    assert told.endswith("verdict   not as promised: 1 thing is wrong\n")
    assert f"          {rule}\n" in told
    assert json.loads(as_json(result))["faults"][0]["rules"] == [rule]


def test_what_is_promised_and_not_allowed_is_named() -> None:
    """A tenant that can not read its own."""
    result = result_of(judged(policy_of(), TWO))
    (fault,) = result.faults
    assert fault.problem == (
        "a.example may not read its own /srv/a (system_u:object_r:selsock_public_content_t:s0:c1) (and 1 pair like it),"
        " as system_u:system_r:selsock_public_t:s0:c1; vhost.yaml promises it"
    )


def test_alike_tenants_are_one_class_and_a_rule_between_two_of_them_is_seen() -> None:
    """Forty domains of the same kind; one rule names two of them, and no other pair is concerned."""
    names = [f"d{number}" for number in range(40)]
    text = "domains: {" + ", ".join(f"{name}: {{}}" for name in names) + "}\nvhosts:\n"
    text += "".join(vhost(name, name) for name in names)
    own = [Rule(f"selsock_{name}_t", f"selsock_{name}_content_t", "file", frozenset(("read",))) for name in names]
    assert result_of(judged(policy_of(*own), text)).faults == ()
    hole = Rule("selsock_d7_t", "selsock_d31_content_t", "file", frozenset(("write",)))
    matrix = judged(policy_of(*own, hole), text)
    assert [len(members) for members in matrix.classes] == [40]
    broken = [(cell.source.name, cell.target.name, cell.pairs) for cell in matrix.all() if cell.broken]
    assert broken == [("d7.example", "d31.example", 1)]
    assert sum(cell.pairs for cell in matrix.cells[0, 0]) == 40 * 39
    assert {"d7.example", "d31.example"} <= {tenant.name for tenant in chosen(matrix)}


def test_pairs_that_differ_by_level_alone_are_looked_at_one_by_one() -> None:
    """Of three levels one dominates another: that pair, in that direction, is another cell than the rest."""
    text = f"{DOMAINS}vhosts:\n" + "".join(
        vhost(name, "public", level) for name, level in (("a", "s0:c1,c2"), ("b", "s0:c1"), ("c", "s0:c3"))
    )
    policy = policy_of(*OWN)
    policy.constraints["file", "read"].append(Constraint(("h1", "h2", "dom"), ""))
    matrix = judged(policy, text)
    assert [(cell.source.name, cell.target.name) for cell in matrix.all() if cell.broken] == [
        ("a.example", "b.example")
    ]


def test_ways_out_are_faults_but_for_what_cgi_starts() -> None:
    """A transition back to the handler, one to itself, and the right to setcon; the one that is promised is none."""
    configuration = configured(f"{DOMAINS}vhosts:\n{vhost('a', 'public', more=CGI)}")
    policy = policy_of()
    policy.leaving = [
        Rule("selsock_public_t", "selsock_tools_t", "process", frozenset(("transition", "getattr"))),
        Rule("selsock_public_t", "selsock_t", "process", frozenset(("transition",))),
        Rule("selsock_public_t", "selsock_public_t", "process", frozenset(("dyntransition",))),
        Rule("selsock_tools_t", "selsock_tools_t", "process", frozenset(("setcurrent",))),
    ]
    found = findings.leaving(policy, Promises.of(configuration), tenants(configuration))
    assert [fault.problem for fault in found] == [
        "selsock_public_t may leave its domain, for selsock_t",
        "selsock_public_t may leave its domain, for selsock_public_t",
        "selsock_tools_t may leave its domain, for selsock_tools_t",
    ]


def test_a_context_that_can_not_be_entered_is_a_fault_unless_it_is_the_administrators() -> None:
    configuration = configured(
        f"{DOMAINS}vhosts:\n{vhost('a', 'public', 's0:c1')}"
        + vhost("b", "httpd_t", "s0", '    content: {/: "public:s0"}\n')
    )
    faults, notes = findings.entering(policy_of(), Promises.of(configuration), tenants(configuration))
    assert [fault.problem for fault in faults] == [
        "selsock_t may not enter system_u:system_r:selsock_public_t:s0:c1, which visitors of a.example get"
    ]
    assert notes == [
        "visitors of b.example get system_u:system_r:httpd_t:s0, which selsock_t may not enter: nobody gets there"
    ]


def test_levels_below_a_clearance_count_where_somebody_has_them() -> None:
    """A user's own level may be that of another tenant's content."""
    auth = "    auth: {basic: {realm: A, pam: true}}\n"
    rules = "    contexts: [{signed_in: true, context: {range: clearance}}]\n"
    cleared = vhost("a", "public", "s0:c1.c9", auth).replace("    contexts: [{any: true}]\n", rules)
    found = tenants(
        configured(f"{DOMAINS}vhosts:\n{cleared}{vhost('b', 'public', 's0:c3')}{vhost('c', 'public', 's0')}")
    )
    assert [str(one.level) for one in found[0].processes] == ["s0:c1.c9", "s0:c3"]


# ---- what was tried


def trying(policy: Policy, ordinary: str = "list read write") -> Judge:
    """A judge of one context of a.example and one of b.example, and of a directory of each."""
    configuration = configured(TWO)
    both = tenants(configuration)
    places = [Place(one, one.files[0], f"{one.files[0].place}/x", frozenset(ordinary.split())) for one in both]
    contexts = [one.processes[0] for one in both]
    return Judge(policy, Promises.of(configuration), list(both), contexts, places)


def apart(*rules: Rule) -> Policy:
    """A policy of ``rules`` that levels confine."""
    found = policy_of(*rules)
    for name in ("open", "read", "write"):
        for tclass in ("file", "dir"):
            found.constraints[tclass, name].append(Constraint(("l1", "l2", "=="), ""))
    return found


MAY_READ = Rule("selsock_public_t", "selsock_public_content_t", "file", frozenset(("open", "read")))


def test_refusals_of_selinux_are_told_from_others() -> None:
    """EACCES where ordinary permissions would have let it; where they would not, nothing is shown."""
    reports = [
        {"by": 0, "files": 0, "did": {"read": "yes"}},
        {"by": 0, "files": 1, "did": {"read": "EACCES", "write": "EACCES"}},
        {"by": 0, "process": 1, "did": {"signull": "EACCES", "seize": "EPERM", "memory": "ESRCH"}},
    ]
    found = trying(apart(MAY_READ), "list read").judged(reports)
    assert found.faults == []
    assert (found.allowed, found.refused, found.not_shown) == (1, 3, 2)
    assert found.notes == ["b.example: nothing of its own could be read, so that its refusals show little"]


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (
            {"by": 0, "files": 1, "did": {"read": "yes"}},
            [
                "system_u:system_r:selsock_public_t:s0:c1 could read /srv/b/x, which the policy does not allow",
                "system_u:system_r:selsock_public_t:s0:c1 could read /srv/b/x, which vhost.yaml does not promise",
            ],
        ),
        (
            {"by": 1, "files": 1, "did": {"read": "EACCES"}},
            ["system_u:system_r:selsock_public_t:s0:c2 could read /srv/b/x by the policy, but was refused: EACCES"],
        ),
        (
            {"by": 1, "error": "OSError: no"},
            ["system_u:system_r:selsock_public_t:s0:c2 could not be entered, or not be tried: OSError: no"],
        ),
        (
            {"by": 1, "back": True, "did": {"enter": "yes"}},
            [
                f"system_u:system_r:selsock_public_t:s0:c2 could become system_u:system_r:selsock_t:s0, which {whom}"
                for whom in ("the policy does not allow", "vhost.yaml does not promise")
            ],
        ),
    ],
)
def test_what_was_done_and_may_not_be_is_wrong(report: dict[str, object], words: list[str]) -> None:
    assert [fault.problem for fault in trying(apart(MAY_READ)).judged([report]).faults] == words


# ---- the page


class Reader(HTMLParser):
    """Whether every element that is opened is closed, in order; and the links and texts of a page."""

    VOID = ("meta", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.loading: list[tuple[str, str]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in self.VOID:
            self.open.append(tag)
        self.loading += [(tag, name) for name in given if name in ("src", "srcset", "data", "action", "style")]
        self.loading += [(tag, "")] if tag in ("script", "link", "img", "iframe", "object", "embed") else []
        self.links += [given["href"]] if "href" in given else []
        self.ids |= {given["id"]} if "id" in given else set()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read_page(result: Result) -> Reader:
    """The page of ``result``."""
    reader = Reader()
    reader.feed(page(result))
    reader.close()
    assert reader.open == []
    return reader


def test_page_is_whole_loads_nothing_and_every_letter_leads_to_its_rule() -> None:
    reader = read_page(result_of(judged(policy_of(*OWN), TWO)))
    assert reader.loading == []
    assert {link[0] for link in reader.links} == {"#"}
    assert {link[1:] for link in reader.links} <= reader.ids
    assert "#0-0-read" in reader.links
    assert "allow selsock_public_t selsock_public_content_t:file read;" in reader.texts
    assert "Not as promised: 1 found" in reader.texts
    whole = "".join(reader.texts)
    assert "/etc/<i>vhost.yaml" in whole  # as text, not as an element
    assert "a <b>note" in whole
    assert "/policy&" in whole


def test_page_of_many_classes_has_a_list_in_place_of_a_table() -> None:
    result = result_of(judged(policy_of(*OWN), TWO))
    many = replace(result, matrix=Matrix(result.matrix.classes * 101, result.matrix.cells, result.matrix.own))
    texts = "".join(read_page(many).texts)
    assert "There are 101 classes, too many for a table" in texts
    assert "allow selsock_public_t selsock_public_content_t:file read;" in texts


def test_every_kind_has_a_column() -> None:
    texts = "".join(read_page(result_of(judged(policy_of(*OWN), TWO))).texts)
    assert all(kind in texts for kind in KINDS)


# ---- the command


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A configuration."""
    (tmp_path / "vhost.yaml").write_text(TWO)
    return tmp_path / "vhost.yaml"


def test_policy_of_another_configuration_is_none_to_hold_it_against(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "small.cil").write_text(SMALL)
    subprocess.run(["secilc", "-o", "policy", "-f", "/dev/null", "small.cil"], check=True, cwd=tmp_path)
    assert main(["verify", "--policy", str(tmp_path / "policy"), str(source)]) == 3
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("selsockctl: the policy is not of this configuration's generation ")
    assert last.endswith(": run selsock-generate")


def test_file_that_is_no_policy(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--policy", str(source), str(source)]) == 3
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"selsockctl: the policy {source} can not be read: ")


def test_bad_source_is_told_as_everywhere(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source.write_text("vhosts: {}\n")
    assert main(["verify", "--policy", "/nowhere", str(source)]) == 2
    assert (
        capsys.readouterr().err.splitlines()[-1]
        == f"{source}:1:9: vhosts: expected one vhost at least, not an empty mapping"
    )
