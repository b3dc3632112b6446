# SPDX-License-Identifier: Apache-2.0
"""What ``vhost.yaml`` must not say, and the exact line that each mistake is answered with."""

import pytest

from selsock.generate import conflicts
from selsock.generate.configuration import configure
from selsock.generate.ranges import Ledger
from selsock.generate.source import BadSource, load

D = "domains: {public: {}, staff: {}}\n"
A = D + "default_context: public:s0\n"
V = "vhosts:\n  a.example:\n    root: /srv/a\n"

# name: (source, the answer after "vhost.yaml:")
REFUSED = {
    "empty": (
        "",
        "1:1: the whole: expected a mapping, not an empty file",
    ),
    "list": (
        "- a\n",
        "1:1: the whole: expected a mapping, {} when it is empty, not a list",
    ),
    "scalar": (
        "a\n",
        "1:1: the whole: expected a mapping, {} when it is empty, not 'a'",
    ),
    "not yaml": (
        A + "vhosts: [\n",
        "4:1: the whole: expected YAML, not this: did not find expected node content",
    ),
    "tab": (
        "domains:\n\tpublic: {}\n",
        "2:1: the whole: expected YAML, not this: found character that cannot start any token",
    ),
    "duplicate": (
        A + V + "    root: /srv/b\n",
        "6:5: vhosts.a.example.root: expected each key once, the first being in line 5, not 'root'",
    ),
    "duplicate top": (
        A + V + "domains: {}\n",
        "6:1: domains: expected each key once, the first being in line 1, not 'domains'",
    ),
    "anchor": (
        A + "vhosts: &x\n  a.example: {root: /srv/a}\n",
        "3:9: vhosts: expected a plain value, not an anchor or alias",
    ),
    "alias": (
        "domains: &x {}\nvhosts: *x\n",
        "1:10: domains: expected a plain value, not an anchor or alias",
    ),
    "tag": (
        A + "vhosts: !!map {}\n",
        "3:9: vhosts: expected a plain value, not one with a tag",
    ),
    "local tag": (
        A + V + "    domain: !public staff\n",
        "6:13: vhosts.a.example.domain: expected a plain value, not one with a tag",
    ),
    "merge": (
        A + "vhosts:\n  a.example:\n    <<: {root: /srv/a}\n",
        "5:5: vhosts.a.example.<<: expected a key of its own, not '<<'",
    ),
    "second document": (
        A + V + "---\n{}\n",
        "6:1: the whole: expected the end of the file, not a second document",
    ),
    "complex key": (
        "? [a, b]\n: c\n",
        "1:3: the whole: expected a key of a single value, not a list",
    ),
    "deep": (
        "vhosts: [[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]\n",
        (
            "1:28: vhosts[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]: expected 20 levels at most, "
            "not one more"
        ),
    ),
    "unknown top": (
        A + "vhost: {}\n",
        "3:1: vhost: expected a known key, the nearest being 'vhosts', not 'vhost'",
    ),
    "unknown vhost": (
        A + V + "    alias: [b.example]\n",
        "6:5: vhosts.a.example.alias: expected a known key, the nearest being 'aliases', not 'alias'",
    ),
    "unknown location": (
        A + V + "    locations: {/x: {context: []}}\n",
        (
            "6:22: vhosts.a.example.locations./x.context: expected a known key, the nearest being 'contexts', "
            "not 'context'"
        ),
    ),
    "unknown rule": (
        A + V + "    contexts: [{users: alice}]\n",
        "6:17: vhosts.a.example.contexts[0].users: expected a known key, the nearest being 'user', not 'users'",
    ),
    "unknown domain option": (
        "domains: {public: {read: []}}\nvhosts: {}\n",
        "1:20: domains.public.read: expected a known key, the nearest being 'reads', not 'read'",
    ),
    "unknown limit": (
        "limits: {connection: 3}\n" + A + V,
        "1:10: limits.connection: expected a known key, the nearest being 'connections', not 'connection'",
    ),
    "unknown auth": (
        A + V + "    auth: {digest: {}}\n",
        "6:12: vhosts.a.example.auth.digest: expected a known key, the nearest being 'basic', not 'digest'",
    ),
    "unknown basic": (
        A + V + "    auth: {basic: {realm: x, file: /etc/selsock/x, users: y}}\n",
        "6:52: vhosts.a.example.auth.basic.users: expected a known key, the nearest being 'groups', not 'users'",
    ),
    "unknown context key": (
        A + V + "    contexts: [{any: true, context: {type: staff}}]\n",
        "6:38: vhosts.a.example.contexts[0].context.type: expected a known key, the nearest being 'range', not 'type'",
    ),
    "strange key": (
        A + V + '    "al\\nias": x\n',
        "6:5: vhosts.a.example.'al\\nias': expected a known key, the nearest being 'aliases', not 'al\\nias'",
    ),
    "selinux": (
        "selinux: on\n" + A + V,
        "1:10: selinux: expected required or optional, not 'on'",
    ),
    "selinux list": (
        "selinux: []\n" + A + V,
        "1:10: selinux: expected a single value, not an empty list",
    ),
    "no vhosts": (
        A,
        "1:1: the whole: expected the key 'vhosts', not its absence",
    ),
    "vhosts empty": (
        A + "vhosts: {}\n",
        "3:9: vhosts: expected one vhost at least, not an empty mapping",
    ),
    "vhosts nothing": (
        A + "vhosts:\n",
        "3:8: vhosts: expected a mapping, {} when it is empty, not nothing",
    ),
    "vhost name": (
        A + "vhosts:\n  WWW.example.org: {root: /srv/a}\n",
        (
            "4:3: vhosts.WWW.example.org: expected a host name in lower case, such as www.example.org, not "
            "'WWW.example.org'"
        ),
    ),
    "vhost port": (
        A + "vhosts:\n  a.example:80: {root: /srv/a}\n",
        "4:3: vhosts.a.example:80: expected a host name in lower case, such as www.example.org, not 'a.example:80'",
    ),
    "vhost scalar": (
        A + "vhosts:\n  a.example: /srv/a\n",
        "4:14: vhosts.a.example: expected a mapping, {} when it is empty, not '/srv/a'",
    ),
    "listen scalar": (
        "listen: 80\n" + A + V,
        "1:9: listen: expected a list, not '80'",
    ),
    "listen empty": (
        "listen: []\n" + A + V,
        "1:9: listen: expected an address at least, not an empty list",
    ),
    "listen zero": (
        "listen: [0]\n" + A + V,
        "1:10: listen[0]: expected PORT, ADDRESS:PORT or [IPV6]:PORT, not '0'",
    ),
    "listen large": (
        "listen: [65536]\n" + A + V,
        "1:10: listen[0]: expected PORT, ADDRESS:PORT or [IPV6]:PORT, not '65536'",
    ),
    "listen endless": (
        f"listen: [{'9' * 5000}]\n" + A + V,
        f"1:10: listen[0]: expected PORT, ADDRESS:PORT or [IPV6]:PORT, not '{'9' * 60}'…",
    ),
    "listen octal": (
        "listen: [080]\n" + A + V,
        "1:10: listen[0]: expected PORT, ADDRESS:PORT or [IPV6]:PORT, not '080'",
    ),
    "listen name": (
        'listen: ["localhost:80"]\n' + A + V,
        "1:10: listen[0]: expected PORT, ADDRESS:PORT or [IPV6]:PORT, not 'localhost:80'",
    ),
    "listen v6": (
        'listen: ["::1:80"]\n' + A + V,
        "1:10: listen[0]: expected PORT, ADDRESS:PORT or [IPV6]:PORT, not '::1:80'",
    ),
    "listen v6 spelling": (
        'listen: ["[0::1]:80"]\n' + A + V,
        "1:10: listen[0]: expected PORT, ADDRESS:PORT or [IPV6]:PORT, not '[0::1]:80'",
    ),
    "listen twice": (
        "listen: [80, 80]\n" + A + V,
        "1:14: listen[1]: expected an address that can be listened on beside 80, not '80'",
    ),
    "listen any and one": (
        'listen: [80, "192.0.2.1:80"]\n' + A + V,
        "1:14: listen[1]: expected an address that can be listened on beside 80, not '192.0.2.1:80'",
    ),
    "listen directive": (
        'listen: ["80\\nExecStartPre=/bin/sh"]\n' + A + V,
        "1:10: listen[0]: expected PORT, ADDRESS:PORT or [IPV6]:PORT, not '80\\nExecStartPre=/bin/sh'",
    ),
    "limit word": (
        "limits: {requests: many}\n" + A + V,
        "1:20: limits.requests: expected a number from 1 to 2147483647, not 'many'",
    ),
    "limit zero": (
        "limits: {connections: 0}\n" + A + V,
        "1:23: limits.connections: expected a number from 1 to 2147483647, not '0'",
    ),
    "limit hex": (
        "limits: {requests: 0x10}\n" + A + V,
        "1:20: limits.requests: expected a number from 1 to 2147483647, not '0x10'",
    ),
    "limit large": (
        "limits: {requests: 2147483648}\n" + A + V,
        "1:20: limits.requests: expected a number from 1 to 2147483647, not '2147483648'",
    ),
    "limit memory": (
        "limits: {memory: 64 MB}\n" + A + V,
        "1:18: limits.memory: expected an amount of memory such as 64M, not '64 MB'",
    ),
    "limit small head": (
        "limits: {head_bytes: 100}\n" + A + V,
        "1:22: limits.head_bytes: expected a number from 512 to 1048576, not '100'",
    ),
    "limit large head": (
        "limits: {head_bytes: 1048577}\n" + A + V,
        "1:22: limits.head_bytes: expected a number from 512 to 1048576, not '1048577'",
    ),
    "limit large request line": (
        "limits: {request_line_bytes: 65537, head_bytes: 1048576}\n" + A + V,
        "1:30: limits.request_line_bytes: expected a number from 64 to 65536, not '65537'",
    ),
    "limit long connection": (
        "limits: {connection_seconds: 86401}\n" + A + V,
        "1:30: limits.connection_seconds: expected a number from 1 to 86400, not '86401'",
    ),
    "limit contradiction": (
        "limits: {request_line_bytes: 20000}\n" + A + V,
        (
            "1:30: limits.request_line_bytes: expected request_line_bytes (20000) to be at most head_bytes "
            "(16384), not '20000'"
        ),
    ),
    "limit contradiction first_byte_seconds": (
        "limits: {connection_seconds: 5, first_byte_seconds: 6}\n" + A + V,
        (
            "1:53: limits.first_byte_seconds: expected first_byte_seconds (6) to be at most "
            "connection_seconds (5), not '6'"
        ),
    ),
    "limit contradiction head_seconds": (
        "limits: {connection_seconds: 5, head_seconds: 6}\n" + A + V,
        ("1:47: limits.head_seconds: expected head_seconds (6) to be at most connection_seconds (5), not '6'"),
    ),
    "limit contradiction idle_seconds": (
        "limits: {connection_seconds: 5, idle_seconds: 6}\n" + A + V,
        ("1:47: limits.idle_seconds: expected idle_seconds (6) to be at most connection_seconds (5), not '6'"),
    ),
    "limit contradiction failure_seconds": (
        "limits: {connection_seconds: 5, failure_seconds: 6}\n" + A + V,
        ("1:50: limits.failure_seconds: expected failure_seconds (6) to be at most connection_seconds (5), not '6'"),
    ),
    "limit contradiction request_seconds": (
        "limits: {connection_seconds: 5, request_seconds: 6}\n" + A + V,
        ("1:50: limits.request_seconds: expected request_seconds (6) to be at most connection_seconds (5), not '6'"),
    ),
    "limit small chunk_line_bytes": (
        "limits: {chunk_line_bytes: 15}\n" + A + V,
        "1:28: limits.chunk_line_bytes: expected a number from 16 to 65536, not '15'",
    ),
    "limit large chunk_line_bytes": (
        "limits: {chunk_line_bytes: 65537}\n" + A + V,
        "1:28: limits.chunk_line_bytes: expected a number from 16 to 65536, not '65537'",
    ),
    "limit small trailer_bytes": (
        "limits: {trailer_bytes: 1}\n" + A + V,
        "1:25: limits.trailer_bytes: expected a number from 2 to 1048576, not '1'",
    ),
    "limit large trailer_bytes": (
        "limits: {trailer_bytes: 1048577}\n" + A + V,
        "1:25: limits.trailer_bytes: expected a number from 2 to 1048576, not '1048577'",
    ),
    "limit zero chunks": (
        "limits: {chunks: 0}\n" + A + V,
        "1:18: limits.chunks: expected a number from 1 to 2147483647, not '0'",
    ),
    "limit zero bytes_per_second": (
        "limits: {bytes_per_second: 0}\n" + A + V,
        "1:28: limits.bytes_per_second: expected a number from 1 to 2147483647, not '0'",
    ),
    "limit zero first_byte_seconds": (
        "limits: {first_byte_seconds: 0}\n" + A + V,
        "1:30: limits.first_byte_seconds: expected a number from 1 to 2147483647, not '0'",
    ),
    "limit zero request_seconds": (
        "limits: {request_seconds: 0}\n" + A + V,
        "1:27: limits.request_seconds: expected a number from 1 to 2147483647, not '0'",
    ),
    "limit per source": (
        "limits: {connections_per_source: 65}\n" + A + V,
        (
            "1:34: limits.connections_per_source: expected connections_per_source (65) to be at most connections "
            "(64), not '65'"
        ),
    ),
    "domain name": (
        "domains: {Public: {}}\n" + V,
        (
            "1:11: domains.Public: expected a domain name (a-z, 0-9, _; not ending in _t, _content, _rw, _script, _tmp "
            "or _login; none of selsock's own), not 'Public'"
        ),
    ),
    "domain type": (
        "domains: {public_t: {}}\n" + V,
        (
            "1:11: domains.public_t: expected a domain name (a-z, 0-9, _; not ending in _t, _content, _rw, _script, _tmp "
            "or _login; none of selsock's own), not 'public_t'"
        ),
    ),
    "domain reserved": (
        "domains: {passwd: {}}\n" + V,
        (
            "1:11: domains.passwd: expected a domain name (a-z, 0-9, _; not ending in _t, _content, _rw, _script, _tmp "
            "or _login; none of selsock's own), not 'passwd'"
        ),
    ),
    "domain nothing": (
        "domains:\n  public:\n" + V,
        "2:10: domains.public: expected a mapping, {} when it is empty, not nothing",
    ),
    "domain list": (
        "domains: [public]\n" + V,
        "1:10: domains: expected a mapping, {} when it is empty, not a list",
    ),
    "reads unknown": (
        "domains: {public: {}, staff: {reads: [publik]}}\n" + V,
        "1:39: domains.staff.reads[0]: expected a name under domains, the nearest being 'public', not 'publik'",
    ),
    "reads self": (
        "domains: {staff: {reads: [staff]}}\n" + V,
        (
            "1:27: domains.staff.reads[0]: expected another domain than staff, which reads its own content "
            "anyway, not 'staff'"
        ),
    ),
    "reads scalar": (
        "domains: {public: {}, staff: {reads: public}}\n" + V,
        "1:38: domains.staff.reads: expected a list, not 'public'",
    ),
    "default without range": (
        D + "default_context: public\n" + V,
        "2:18: default_context: expected a domain and a range, not a context without range",
    ),
    "default without domain": (
        D + "default_context: {range: s0}\n" + V,
        "2:18: default_context: expected a domain and a range, not a context without domain",
    ),
    "default empty": (
        D + "default_context: {}\n" + V,
        "2:18: default_context: expected domain, range or both, not an empty mapping",
    ),
    "default list": (
        D + "default_context: [public]\n" + V,
        "2:18: default_context: expected DOMAIN, DOMAIN:RANGE or a mapping of domain and range, not a list",
    ),
    "context unknown": (
        A + V + "    contexts: [{any: true, context: stuff}]\n",
        (
            "6:37: vhosts.a.example.contexts[0].context: expected a name under domains, the nearest being "
            "'staff', not 'stuff'"
        ),
    ),
    "context ours": (
        A + V + '    contexts: [{any: true, context: "selsock_t:s0"}]\n',
        (
            "6:37: vhosts.a.example.contexts[0].context: expected a name under domains, or a type of your own, "
            "not 'selsock_t'"
        ),
    ),
    "context no domains": (
        "default_context: public:s0\n" + V,
        "1:18: default_context: expected a name under domains, the nearest being none, not 'public'",
    ),
    "context bad type": (
        A + V + "    contexts: [{any: true, context: Bad_t}]\n",
        "6:37: vhosts.a.example.contexts[0].context: expected an SELinux type that ends in _t, not 'Bad_t'",
    ),
    "context empty": (
        A + V + '    contexts: [{any: true, context: ""}]\n',
        (
            "6:37: vhosts.a.example.contexts[0].context: expected a name under domains, the nearest being "
            "'staff', not nothing"
        ),
    ),
    "context range alone": (
        A + V + '    contexts: [{any: true, context: ":s0"}]\n',
        (
            "6:37: vhosts.a.example.contexts[0].context: expected a name under domains, the nearest being "
            "'staff', not nothing"
        ),
    ),
    "context colon": (
        A + V + '    contexts: [{any: true, context: "staff:"}]\n',
        "6:37: vhosts.a.example.contexts[0].context: expected auto, clearance or a level such as s0 or s0:c1,c5, not ''",
    ),
    "context empty mapping": (
        A + V + "    contexts: [{any: true, context: {}}]\n",
        "6:37: vhosts.a.example.contexts[0].context: expected domain, range or both, not an empty mapping",
    ),
    "range range": (
        A + V + "    range: s0-s0:c0.c1023\n",
        (
            "6:12: vhosts.a.example.range: expected one level, not the range 's0-s0:c0.c1023': a tenant runs at "
            "a single level"
        ),
    ),
    "range category": (
        A + V + "    range: s0:c1024\n",
        "6:12: vhosts.a.example.range: expected c0 to c1023, not 'c1024' in 's0:c1024'",
    ),
    "range falling": (
        A + V + "    range: s0:c5.c2\n",
        "6:12: vhosts.a.example.range: expected rising categories, not 'c5.c2' in 's0:c5.c2'",
    ),
    "range star": (
        A + V + "    range: '*'\n",
        "6:12: vhosts.a.example.range: expected auto or a level such as s0 or s0:c1,c5, not '*'",
    ),
    "range sensitivity": (
        A + V + "    range: s16\n",
        "6:12: vhosts.a.example.range: expected s0 to s15, not 's16' in 's16'",
    ),
    "no range": (
        D + V + "    domain: public\n    contexts: [{any: true}]\n",
        (
            "6:16: vhosts.a.example.contexts[0]: expected a range here, in the vhost or in default_context, not "
            "none at all"
        ),
    ),
    "no domain": (
        D + V + "    range: auto\n    contexts: [{any: true}]\n",
        (
            "6:16: vhosts.a.example.contexts[0]: expected a domain here, in the vhost or in default_context, not "
            "none at all"
        ),
    ),
    "no contexts": (
        D + V + "    domain: public\n    range: auto\n",
        "4:5: vhosts.a.example: expected contexts here or further out, or default_context, not none",
    ),
    "content type": (
        A + V + "    domain: my_t\n",
        "5:5: vhosts.a.example: expected content with /, since my_t is no type of files, not none",
    ),
    "rule empty": (
        A + V + "    contexts: [{}]\n",
        (
            "6:16: vhosts.a.example.contexts[0]: expected a condition (user, group, signed_in, address, method, "
            "anonymous, any, map or assigned), not none"
        ),
    ),
    "rule no condition": (
        A + V + "    contexts: [{context: staff}]\n",
        (
            "6:16: vhosts.a.example.contexts[0]: expected a condition (user, group, signed_in, address, method, "
            "anonymous, any, map or assigned), not none"
        ),
    ),
    "rule false": (
        A + V + "    contexts: [{any: false}]\n",
        "6:22: vhosts.a.example.contexts[0].any: expected true, not 'false'",
    ),
    "rule any and user": (
        A + V + "    contexts: [{any: true, user: alice}]\n",
        (
            "6:22: vhosts.a.example.contexts[0].any: expected any to stand alone, or the other conditions "
            "without it, not 'true'"
        ),
    ),
    "rule anonymous user": (
        A + V + "    contexts: [{anonymous: true, user: alice}]\n",
        (
            "6:28: vhosts.a.example.contexts[0].anonymous: expected either user or anonymous, since no visitor "
            "is both, not 'true'"
        ),
    ),
    "rule user colon": (
        A + V + '    contexts: [{user: "a:b"}]\n',
        (
            "6:23: vhosts.a.example.contexts[0].user: expected a user name without colon or control character, "
            "255 bytes at most, in normal form C, not 'a:b'"
        ),
    ),
    "rule user control": (
        A + V + '    contexts: [{user: "a\\tb"}]\n',
        (
            "6:23: vhosts.a.example.contexts[0].user: expected a user name without colon or control character, "
            "255 bytes at most, in normal form C, not 'a\\tb'"
        ),
    ),
    "rule user none": (
        A + V + "    contexts: [{user: []}]\n",
        "6:23: vhosts.a.example.contexts[0].user: expected a value or a list of them, not an empty list",
    ),
    "rule user nested": (
        A + V + "    contexts: [{user: [[alice]]}]\n",
        "6:24: vhosts.a.example.contexts[0].user[0]: expected a single value, not a list",
    ),
    "rule address": (
        A + V + "    contexts: [{address: example.org}]\n",
        (
            "6:26: vhosts.a.example.contexts[0].address: expected an address or a network such as 192.0.2.0/24 "
            "or 2001:db8::/32, not 'example.org'"
        ),
    ),
    "rule address host bits": (
        A + V + "    contexts: [{address: 10.1.0.0/8}]\n",
        (
            "6:26: vhosts.a.example.contexts[0].address: expected an address or a network without host bits, "
            "such as 192.0.2.0/24 or 2001:db8::/32, not '10.1.0.0/8'"
        ),
    ),
    "rule address mask": (
        A + V + "    contexts: [{address: 10.0.0.0/255.0.0.0}]\n",
        (
            "6:26: vhosts.a.example.contexts[0].address: expected a network with a prefix length, such as "
            "192.0.2.0/24, not '10.0.0.0/255.0.0.0'"
        ),
    ),
    "rule address mapped": (
        A + V + '    contexts: [{address: "::ffff:10.0.0.0/104"}]\n',
        (
            "6:26: vhosts.a.example.contexts[0].address: expected the IPv4 form of an IPv4 address, not "
            "'::ffff:10.0.0.0/104'"
        ),
    ),
    "rule address long": (
        A + V + "    contexts: [{address: 10.0.0.0/33}]\n",
        (
            "6:26: vhosts.a.example.contexts[0].address: expected an address or a network without host bits, "
            "such as 192.0.2.0/24 or 2001:db8::/32, not '10.0.0.0/33'"
        ),
    ),
    "rule list": (
        A + V + "    contexts: {any: true}\n",
        "6:15: vhosts.a.example.contexts: expected a list, not a mapping",
    ),
    "user without auth": (
        A + V + "    contexts: [{user: alice}]\n",
        "5:5: vhosts.a.example: expected auth, since the rule in line 6 names a user, not none",
    ),
    "global user without auth": (
        A + "contexts: [{user: alice}]\n" + V,
        "6:5: vhosts.a.example: expected auth, since the rule in line 3 names a user, not none",
    ),
    "no root": (
        A + "vhosts:\n  a.example: {}\n",
        "4:14: vhosts.a.example: expected the key 'root', not its absence",
    ),
    "root relative": (
        A + "vhosts:\n  a.example: {root: srv/a}\n",
        (
            "4:21: vhosts.a.example.root: expected an absolute path of letters, digits and ._-+@=~ without //, "
            "/./, /../ or a slash at the end, not 'srv/a'"
        ),
    ),
    "root dots": (
        A + "vhosts:\n  a.example: {root: /srv/../etc}\n",
        (
            "4:21: vhosts.a.example.root: expected an absolute path of letters, digits and ._-+@=~ without //, "
            "/./, /../ or a slash at the end, not '/srv/../etc'"
        ),
    ),
    "root slash": (
        A + "vhosts:\n  a.example: {root: /srv/a/}\n",
        (
            "4:21: vhosts.a.example.root: expected an absolute path of letters, digits and ._-+@=~ without //, "
            "/./, /../ or a slash at the end, not '/srv/a/'"
        ),
    ),
    "root quote": (
        A + "vhosts:\n  a.example: {root: '/srv/a\") (allow x'}\n",
        (
            "4:21: vhosts.a.example.root: expected an absolute path of letters, digits and ._-+@=~ without //, "
            "/./, /../ or a slash at the end, not '/srv/a\") (allow x'"
        ),
    ),
    "root top": (
        A + "vhosts:\n  a.example: {root: /srv}\n",
        (
            "4:21: vhosts.a.example.root: expected a directory of its own, such as /srv/www, outside the "
            "system's, not '/srv'"
        ),
    ),
    "root /": (
        A + "vhosts:\n  a.example: {root: /}\n",
        (
            "4:21: vhosts.a.example.root: expected an absolute path of letters, digits and ._-+@=~ without //, "
            "/./, /../ or a slash at the end, not '/'"
        ),
    ),
    "root etc": (
        A + "vhosts:\n  a.example: {root: /etc/www}\n",
        (
            "4:21: vhosts.a.example.root: expected a directory of its own, such as /srv/www, outside the "
            "system's, not '/etc/www'"
        ),
    ),
    "root lib64": (
        A + "vhosts:\n  a.example: {root: /lib64/www}\n",
        (
            "4:21: vhosts.a.example.root: expected a directory of its own, such as /srv/www, outside the "
            "system's, not '/lib64/www'"
        ),
    ),
    "root ours": (
        A + "vhosts:\n  a.example: {root: /var/lib/selsock/www}\n",
        (
            "4:21: vhosts.a.example.root: expected a directory of its own, such as /srv/www, outside the "
            "system's, not '/var/lib/selsock/www'"
        ),
    ),
    "root var www": (
        A + "vhosts:\n  a.example: {root: /var/www}\n",
        (
            "4:21: vhosts.a.example.root: expected a directory of its own, such as /srv/www, outside the "
            "system's, not '/var/www'"
        ),
    ),
    "root var lib": (
        A + "vhosts:\n  a.example: {root: /var/lib}\n",
        (
            "4:21: vhosts.a.example.root: expected a directory of its own, such as /srv/www, outside the "
            "system's, not '/var/lib'"
        ),
    ),
    "root home": (
        A + "vhosts:\n  a.example: {root: /home/alice/www}\n",
        (
            "4:21: vhosts.a.example.root: expected a directory of its own, such as /srv/www, outside the "
            "system's, not '/home/alice/www'"
        ),
    ),
    "root media": (
        A + "vhosts:\n  a.example: {root: /media/disk}\n",
        (
            "4:21: vhosts.a.example.root: expected a directory of its own, such as /srv/www, outside the "
            "system's, not '/media/disk'"
        ),
    ),
    "root mnt": (
        A + "vhosts:\n  a.example: {root: /mnt/www}\n",
        (
            "4:21: vhosts.a.example.root: expected a directory of its own, such as /srv/www, outside the "
            "system's, not '/mnt/www'"
        ),
    ),
    "aliases scalar": (
        A + V + "    aliases: b.example\n",
        "6:14: vhosts.a.example.aliases: expected a list, not 'b.example'",
    ),
    "alias own": (
        A + V + "    aliases: [a.example]\n",
        "6:15: vhosts.a.example.aliases[0]: expected each name once, not 'a.example' again (vhost a.example has it)",
    ),
    "alias twice": (
        A + V + "    aliases: [b.example, b.example]\n",
        "6:26: vhosts.a.example.aliases[1]: expected each name once, not 'b.example' again (vhost a.example has it)",
    ),
    "alias other": (
        A + V + "    aliases: [b.example]\n  b.example: {root: /srv/b}\n",
        "6:15: vhosts.a.example.aliases[0]: expected each name once, not 'b.example' again (vhost b.example has it)",
    ),
    "alias wildcard": (
        A + V + "    aliases: ['*.example']\n",
        (
            "6:15: vhosts.a.example.aliases[0]: expected a host name in lower case, such as www.example.org, not "
            "'*.example'"
        ),
    ),
    "nested roots": (
        A + V + "  b.example: {root: /srv/a/b}\n",
        "6:21: vhosts.b.example.root: expected no directory inside the root of vhost a.example, not '/srv/a/b'",
    ),
    "nested roots 2": (
        A + "vhosts:\n  b.example: {root: /srv/a/b/c}\n  a.example: {root: /srv/a}\n",
        "4:21: vhosts.b.example.root: expected no directory inside the root of vhost a.example, not '/srv/a/b/c'",
    ),
    "same root": (
        A + V + "  b.example: {root: /srv/a, domain: staff}\n",
        (
            "6:21: vhosts.b.example.root: expected the same content labels as vhost a.example, which has this "
            "root, not others"
        ),
    ),
    "content path": (
        A + V + "    content: {staff: staff}\n",
        (
            "6:15: vhosts.a.example.content.staff: expected an absolute path of letters, digits and ._-+@=~ "
            "without //, /./, /../ or a slash at the end, not 'staff'"
        ),
    ),
    "content dots": (
        A + V + "    content: {/../b: staff}\n",
        (
            "6:15: vhosts.a.example.content./../b: expected an absolute path of letters, digits and ._-+@=~ "
            "without //, /./, /../ or a slash at the end, not '/../b'"
        ),
    ),
    "location path": (
        A + V + "    locations: {/x/: {}}\n",
        (
            "6:17: vhosts.a.example.locations./x/: expected an absolute path of letters, digits and ._-+@=~ "
            "without //, /./, /../ or a slash at the end, not '/x/'"
        ),
    ),
    "location list": (
        A + V + "    locations: [/x]\n",
        "6:16: vhosts.a.example.locations: expected a mapping, {} when it is empty, not a list",
    ),
    "auth proxy without a proxy": (
        A + V + "    auth: {proxy: {}}\n",
        (
            "6:11: vhosts.a.example.auth: expected a listener with remote_user or certificate, since auth has proxy, "
            "not none"
        ),
    ),
    "auth scalar": (
        A + V + "    auth: basic\n",
        "6:11: vhosts.a.example.auth: expected a mapping, {} when it is empty, not 'basic'",
    ),
    "auth without file": (
        A + V + "    auth: {basic: {realm: x}}\n",
        "6:19: vhosts.a.example.auth.basic: expected one of file, pam and sql, not a mapping",
    ),
    "auth realm": (
        A + V + "    auth: {basic: {realm: 'a\"b', file: /etc/selsock/x}}\n",
        "6:27: vhosts.a.example.auth.basic.realm: expected a realm of printable ASCII without \" or \\, not 'a\"b'",
    ),
    "auth file shadow": (
        A + V + "    auth: {basic: {realm: x, file: /etc/shadow}}\n",
        (
            "6:36: vhosts.a.example.auth.basic.file: expected a file …htpasswd in a directory of /etc or /var/lib, "
            "such as /etc/selsock/users.htpasswd, not '/etc/shadow'"
        ),
    ),
    "auth file ours": (
        A + V + "    auth: {basic: {realm: x, file: /var/lib/selsock/x}}\n",
        (
            "6:36: vhosts.a.example.auth.basic.file: expected a file outside /var/lib/selsock, which the "
            "compiled table lies in, not '/var/lib/selsock/x'"
        ),
    ),
    "auth file usr": (
        A + V + "    auth: {basic: {realm: x, file: /usr/share/x/y}}\n",
        (
            "6:36: vhosts.a.example.auth.basic.file: expected a file …htpasswd in a directory of /etc or /var/lib, "
            "such as /etc/selsock/users.htpasswd, not '/usr/share/x/y'"
        ),
    ),
    "auth file in root": (
        A + V + "    auth: {basic: {realm: x, file: /srv/a/.htpasswd}}\n",
        (
            "6:36: vhosts.a.example.auth.basic.file: expected a file …htpasswd in a directory of /etc or /var/lib, "
            "such as /etc/selsock/users.htpasswd, not '/srv/a/.htpasswd'"
        ),
    ),
    "auth file other name": (
        A + V + "    auth: {basic: {realm: x, file: /etc/selsock/users}}\n",
        (
            "6:36: vhosts.a.example.auth.basic.file: expected a file …htpasswd in a directory of /etc or /var/lib, "
            "such as /etc/selsock/users.htpasswd, not '/etc/selsock/users'"
        ),
    ),
    "auth file other ending": (
        A + V + "    auth: {basic: {realm: x, file: /etc/selsock/users.htpasswd.old}}\n",
        (
            "6:36: vhosts.a.example.auth.basic.file: expected a file …htpasswd in a directory of /etc or /var/lib, "
            "such as /etc/selsock/users.htpasswd, not '/etc/selsock/users.htpasswd.old'"
        ),
    ),
    "auth file configuration": (
        A + V + "    auth: {basic: {realm: x, file: /etc/selsock/vhost.yaml}}\n",
        (
            "6:36: vhosts.a.example.auth.basic.file: expected a file …htpasswd in a directory of /etc or /var/lib, "
            "such as /etc/selsock/users.htpasswd, not '/etc/selsock/vhost.yaml'"
        ),
    ),
    "auth file top of etc": (
        A + V + "    auth: {basic: {realm: x, file: /etc/htpasswd}}\n",
        (
            "6:36: vhosts.a.example.auth.basic.file: expected a file …htpasswd in a directory of /etc or /var/lib, "
            "such as /etc/selsock/users.htpasswd, not '/etc/htpasswd'"
        ),
    ),
    "auth file top of var lib": (
        A + V + "    auth: {basic: {realm: x, file: /var/lib/htpasswd}}\n",
        (
            "6:36: vhosts.a.example.auth.basic.file: expected a file …htpasswd in a directory of /etc or /var/lib, "
            "such as /etc/selsock/users.htpasswd, not '/var/lib/htpasswd'"
        ),
    ),
    "auth file of the system": (
        A + V + "    auth: {basic: {realm: x, file: /var/lib/dpkg/x.htpasswd}}\n",
        (
            "6:36: vhosts.a.example.auth.basic.file: expected a file …htpasswd in a directory of /etc or /var/lib, "
            "such as /etc/selsock/users.htpasswd, not '/var/lib/dpkg/x.htpasswd'"
        ),
    ),
    "auth file home": (
        A + V + "    auth: {basic: {realm: x, file: /home/alice/htpasswd}}\n",
        (
            "6:36: vhosts.a.example.auth.basic.file: expected a file …htpasswd in a directory of /etc or /var/lib, "
            "such as /etc/selsock/users.htpasswd, not '/home/alice/htpasswd'"
        ),
    ),
    "auth file in other root": (
        A + V + "    auth: {basic: {realm: x, file: /var/lib/b/x/.htpasswd}}\n  b.example: {root: /var/lib/b}\n",
        (
            "6:11: vhosts.a.example.auth: expected a password file outside every root, not '/var/lib/b/x/.htpasswd' "
            "in that of b.example"
        ),
    ),
    "pair of another": (
        D + V + "    domain: public\n"
        "    range: auto\n"
        "    contexts: [{any: true}]\n"
        "  b.example:\n"
        "    root: /srv/b\n"
        '    content: {/: "public:s0"}\n'
        '    contexts: [{any: true, context: "public:s0:c1,c0"}]\n',
        (
            "11:37: vhosts.b.example.contexts[0].context: expected a level without s0:c0,c1, which is the auto range of a.example, "
            "not s0:c0,c1"
        ),
    ),
    "pair of another among more": (
        D + V + "    domain: public\n"
        "    range: auto\n"
        "    contexts: [{any: true}]\n"
        "  b.example:\n"
        "    root: /srv/b\n"
        '    content: {/: "public:s0"}\n'
        '    contexts: [{any: true, context: "public:s0:c0.c1023"}]\n',
        (
            "11:37: vhosts.b.example.contexts[0].context: expected a level without s0:c0,c1, which is the auto range of a.example, "
            "not s0:c0.c1023"
        ),
    ),
    "pair of another at a higher sensitivity": (
        D + V + "    domain: public\n"
        "    range: auto\n"
        "    contexts: [{any: true}]\n"
        "  b.example:\n"
        "    root: /srv/b\n"
        '    content: {/: "public:s0"}\n'
        '    contexts: [{any: true, context: "public:s1:c0,c1"}]\n',
        (
            "11:37: vhosts.b.example.contexts[0].context: expected a level without s0:c0,c1, which is the auto range of a.example, "
            "not s1:c0,c1"
        ),
    ),
    "content pair of another": (
        D + V + "    domain: public\n"
        "    range: auto\n"
        "    contexts: [{any: true}]\n"
        "  b.example:\n"
        "    root: /srv/b\n"
        '    content: {/: "public:s0:c0,c1"}\n'
        '    contexts: [{any: true, context: "staff:s0"}]\n',
        (
            "10:18: vhosts.b.example.content./: expected a level without s0:c0,c1, which is the auto range of a.example, "
            "not s0:c0,c1"
        ),
    ),
    "pair of another's content, which no visitor of his reads": (
        D + V + "    domain: public\n"
        "    range: auto\n"
        '    contexts: [{any: true, context: "staff"}]\n'
        "  b.example:\n"
        "    root: /srv/b\n"
        '    content: {/: "public:s0"}\n'
        '    contexts: [{any: true, context: "public:s0:c0,c1"}]\n',
        (
            "11:37: vhosts.b.example.contexts[0].context: expected a level without s0:c0,c1, which is the auto range of a.example, "
            "not s0:c0,c1"
        ),
    ),
    "pair of another's content, as the range of a vhost": (
        D + V + "    domain: public\n"
        "    range: auto\n"
        '    contexts: [{any: true, context: "staff"}]\n'
        "  b.example:\n"
        "    root: /srv/b\n"
        '    content: {/: "staff:s0"}\n'
        "    domain: public\n"
        "    range: s0:c0.c9\n"
        "    contexts: [{any: true}]\n",
        (
            "13:16: vhosts.b.example.contexts[0]: expected a level without s0:c0,c1, which is the auto range of a.example, "
            "not s0:c0.c9"
        ),
    ),
    "pair of another's uploads": (
        "domains: {public: {python: true}, staff: {}}\n" + V + "    domain: staff\n"
        "    range: auto\n"
        "    content: {/up: {domain: public, access: write}}\n"
        "    contexts: [{any: true}]\n"
        "  b.example:\n"
        "    root: /srv/b\n"
        '    content: {/: "staff:s0"}\n'
        '    contexts: [{any: true, context: "public:s0:c0,c1"}]\n',
        (
            "12:37: vhosts.b.example.contexts[0].context: expected a level without s0:c0,c1, which is the auto range of a.example, "
            "not s0:c0,c1"
        ),
    ),
    "pair of another's content, which he wrote out himself among more": (
        D + V + "    content: {/: 'public:s0:c0.c2'}\n"
        "    range: auto\n"
        '    contexts: [{any: true, context: "staff"}]\n'
        "  b.example:\n"
        "    root: /srv/b\n"
        '    content: {/: "public:s0"}\n'
        '    contexts: [{any: true, context: "public:s0:c0.c2"}]\n',
        (
            "11:37: vhosts.b.example.contexts[0].context: expected a level without s0:c0,c1, which is the auto range of a.example, "
            "not s0:c0.c2"
        ),
    ),
    "pair of another's content, by a program's domain": (
        "domains: {public: {}, git: {execute: true}, staff: {}}\n" + V + "    domain: public\n"
        "    range: auto\n"
        "    content: {/git: {domain: git, access: write}}\n"
        "    contexts: [{any: true}]\n"
        "  b.example:\n"
        "    root: /srv/b\n"
        '    content: {/: "staff:s0"}\n'
        '    contexts: [{any: true, context: "staff:s0:c0,c1"}]\n'
        "    locations: {/g: {cgi: {program: /usr/bin/git, domain: git}}}\n",
        (
            "12:37: vhosts.b.example.contexts[0].context: expected a level without s0:c0,c1, which is the auto range of a.example, "
            "not s0:c0,c1"
        ),
    ),
    "content for another's visitors": (
        D + V + "    domain: public\n"
        "    range: auto\n"
        '    contexts: [{any: true, context: "staff"}]\n'
        "  b.example:\n"
        "    root: /srv/b\n"
        '    content: {/: "public:s0", /up: {domain: staff, range: "s0:c0,c1", access: write}}\n'
        '    contexts: [{any: true, context: "staff:s0"}]\n',
        (
            "10:36: vhosts.b.example.content./up: expected a level without s0:c0,c1, which is the auto range of a.example, "
            "not s0:c0,c1"
        ),
    ),
    "pair of another in a type of one's own": (
        D + V + "    domain: public\n"
        "    range: auto\n"
        '    contexts: [{any: true, context: "my_t"}]\n'
        "  b.example:\n"
        "    root: /srv/b\n"
        '    content: {/: "public:s0"}\n'
        '    contexts: [{any: true, context: "my_t:s0:c0,c1"}]\n',
        (
            "11:37: vhosts.b.example.contexts[0].context: expected a level without s0:c0,c1, which is the auto range of a.example, "
            "not s0:c0,c1"
        ),
    ),
}

# The frame of the cases on content: everybody gets app, which runs Python, or cgi, which runs programs.
P = "domains: {public: {}, app: {python: true}, cgi: {execute: true}}\n"
W = P + V + "    domain: app\n    range: auto\n    contexts: [{any: true}]\n"
C = P + V + "    domain: cgi\n    range: auto\n    contexts: [{any: true}]\n"

REFUSED |= {
    "two kinds": (
        W + "    locations: {/x: {static: {}, wsgi: {application: a:b}}}\n",
        (
            "8:34: vhosts.a.example.locations./x.wsgi: expected one of static, wsgi, cgi in a location, which has "
            "static already, not 'wsgi'"
        ),
    ),
    "static nothing": (
        W + "    locations: {/x: {static: }}\n",
        "8:30: vhosts.a.example.locations./x.static: expected a mapping, {} when it is empty, not nothing",
    ),
    "static unknown": (
        W + "    locations: {/x: {static: {indexes: [a]}}}\n",
        (
            "8:31: vhosts.a.example.locations./x.static.indexes: expected a known key, the nearest being 'index', "
            "not 'indexes'"
        ),
    ),
    "static directory relative": (
        W + "    locations: {/x: {static: {directory: x}}}\n",
        (
            "8:42: vhosts.a.example.locations./x.static.directory: expected an absolute path of letters, digits and "
            "._-+@=~ without //, /./, /../ or a slash at the end, not 'x'"
        ),
    ),
    "static directory up": (
        W + "    locations: {/x: {static: {directory: /../b}}}\n",
        (
            "8:42: vhosts.a.example.locations./x.static.directory: expected an absolute path of letters, digits and "
            "._-+@=~ without //, /./, /../ or a slash at the end, not '/../b'"
        ),
    ),
    "static directory slash": (
        W + "    locations: {/x: {static: {directory: /x/}}}\n",
        (
            "8:42: vhosts.a.example.locations./x.static.directory: expected an absolute path of letters, digits and "
            "._-+@=~ without //, /./, /../ or a slash at the end, not '/x/'"
        ),
    ),
    "static directory long": (
        W + f"    locations: {{/x: {{static: {{directory: /{'x' * 994}}}}}}}\n",
        (
            "8:42: vhosts.a.example.locations./x.static.directory: expected 1000 characters at most together with "
            "the root, not '/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'…"
        ),
    ),
    "static index scalar": (
        W + "    locations: {/x: {static: {index: a.html}}}\n",
        "8:38: vhosts.a.example.locations./x.static.index: expected a list, not 'a.html'",
    ),
    "static index path": (
        W + "    locations: {/x: {static: {index: [a/b.html]}}}\n",
        (
            "8:39: vhosts.a.example.locations./x.static.index[0]: expected a file name of letters, digits and "
            "._-+@=~, not 'a/b.html'"
        ),
    ),
    "static index up": (
        W + "    locations: {/x: {static: {index: [..]}}}\n",
        (
            "8:39: vhosts.a.example.locations./x.static.index[0]: expected a file name of letters, digits and "
            "._-+@=~, not '..'"
        ),
    ),
    "static index tab": (
        W + '    locations: {/x: {static: {index: ["a\\tb"]}}}\n',
        (
            "8:39: vhosts.a.example.locations./x.static.index[0]: expected a file name of letters, digits and "
            "._-+@=~, not 'a\\tb'"
        ),
    ),
    "static listing false": (
        W + "    locations: {/x: {static: {listing: false}}}\n",
        "8:40: vhosts.a.example.locations./x.static.listing: expected true, not 'false'",
    ),
    "static precompressed list": (
        W + "    locations: {/x: {static: {precompressed: [gz]}}}\n",
        "8:46: vhosts.a.example.locations./x.static.precompressed: expected a single value, not a list",
    ),
    "wsgi nothing": (
        W + "    locations: {/x: {wsgi: {}}}\n",
        "8:28: vhosts.a.example.locations./x.wsgi: expected the key 'application', not its absence",
    ),
    "wsgi unknown": (
        W + "    locations: {/x: {wsgi: {application: a:b, path: /x}}}\n",
        "8:47: vhosts.a.example.locations./x.wsgi.path: expected a known key, the nearest being 'python', not 'path'",
    ),
    "wsgi without callable": (
        W + "    locations: {/x: {wsgi: {application: shop.wsgi}}}\n",
        (
            "8:42: vhosts.a.example.locations./x.wsgi.application: expected MODULE:CALLABLE, each of ASCII "
            "identifiers joined by dots, not 'shop.wsgi'"
        ),
    ),
    "wsgi two colons": (
        W + "    locations: {/x: {wsgi: {application: a:b:c}}}\n",
        (
            "8:42: vhosts.a.example.locations./x.wsgi.application: expected MODULE:CALLABLE, each of ASCII "
            "identifiers joined by dots, not 'a:b:c'"
        ),
    ),
    "wsgi empty part": (
        W + "    locations: {/x: {wsgi: {application: a..b:c}}}\n",
        (
            "8:42: vhosts.a.example.locations./x.wsgi.application: expected MODULE:CALLABLE, each of ASCII "
            "identifiers joined by dots, not 'a..b:c'"
        ),
    ),
    "wsgi digit": (
        W + "    locations: {/x: {wsgi: {application: a.1b:c}}}\n",
        (
            "8:42: vhosts.a.example.locations./x.wsgi.application: expected MODULE:CALLABLE, each of ASCII "
            "identifiers joined by dots, not 'a.1b:c'"
        ),
    ),
    "wsgi call": (
        W + "    locations: {/x: {wsgi: {application: a:b()}}}\n",
        (
            "8:42: vhosts.a.example.locations./x.wsgi.application: expected MODULE:CALLABLE, each of ASCII "
            "identifiers joined by dots, not 'a:b()'"
        ),
    ),
    "wsgi beyond ascii": (
        W + "    locations: {/x: {wsgi: {application: ä:b}}}\n",
        (
            "8:42: vhosts.a.example.locations./x.wsgi.application: expected MODULE:CALLABLE, each of ASCII "
            "identifiers joined by dots, not 'ä:b'"
        ),
    ),
    "wsgi long": (
        W + f"    locations: {{/x: {{wsgi: {{application: a:{'b' * 249}}}}}}}\n",
        (
            "8:42: vhosts.a.example.locations./x.wsgi.application: expected MODULE:CALLABLE, each of ASCII "
            "identifiers joined by dots, not 'a:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb'…"
        ),
    ),
    "wsgi python scalar": (
        W + "    locations: {/x: {wsgi: {application: a:b, python: /x}}}\n",
        "8:55: vhosts.a.example.locations./x.wsgi.python: expected a list, not '/x'",
    ),
    "wsgi python relative": (
        W + "    locations: {/x: {wsgi: {application: a:b, python: [/x, y]}}}\n",
        (
            "8:60: vhosts.a.example.locations./x.wsgi.python[1]: expected an absolute path of letters, digits and "
            "._-+@=~ without //, /./, /../ or a slash at the end, not 'y'"
        ),
    ),
    "wsgi venv relative": (
        W + "    locations: {/x: {wsgi: {application: a:b, venv: venv}}}\n",
        (
            "8:53: vhosts.a.example.locations./x.wsgi.venv: expected an absolute path of letters, digits and ._-+@=~ "
            "without //, /./, /../ or a slash at the end, not 'venv'"
        ),
    ),
    "wsgi without python": (
        C + "    locations: {/x: {wsgi: {application: a:b}}}\n",
        (
            "8:28: vhosts.a.example.locations./x.wsgi: expected python: true in domain cgi, which the rule "
            "vhost.yaml:7 gives here, not none"
        ),
    ),
    "wsgi without python by a rule": (
        W.replace("[{any", "[{address: 192.0.2.1, context: public}, {any")
        + "    locations: {/x: {wsgi: {application: a:b}}}\n",
        (
            "8:28: vhosts.a.example.locations./x.wsgi: expected python: true in domain public, which the rule "
            "vhost.yaml:7 gives here, not none"
        ),
    ),
    "wsgi without python by default": (
        "default_context: public:s0\n"
        + W.replace("{any: true}", "{address: 192.0.2.1}")
        + "    locations: {/x: {wsgi: {application: a:b}}}\n",
        (
            "9:28: vhosts.a.example.locations./x.wsgi: expected python: true in domain public, which default_context "
            "gives here, not none"
        ),
    ),
    "cgi without execute": (
        W + "    locations: {/x: {cgi: {}}}\n",
        (
            "8:27: vhosts.a.example.locations./x.cgi: expected execute: true in domain app, which the rule "
            "vhost.yaml:7 gives here, not none"
        ),
    ),
    "cgi unknown": (
        C + "    locations: {/x: {cgi: {dir: /x}}}\n",
        "8:28: vhosts.a.example.locations./x.cgi.dir: expected a known key, the nearest being 'directory', not 'dir'",
    ),
    "cgi program relative": (
        C + "    locations: {/x: {cgi: {program: git}}}\n",
        (
            "8:37: vhosts.a.example.locations./x.cgi.program: expected an absolute path of letters, digits and "
            "._-+@=~ without //, /./, /../ or a slash at the end, not 'git'"
        ),
    ),
    "cgi program and directory": (
        C + "    locations: {/x: {cgi: {program: /usr/bin/git, directory: /x}}}\n",
        "8:51: vhosts.a.example.locations./x.cgi.directory: expected no such key beside program, not 'directory'",
    ),
    "cgi program and interpreter": (
        C + "    locations: {/x: {cgi: {interpreter: /usr/bin/php-cgi, program: /usr/bin/git}}}\n",
        "8:28: vhosts.a.example.locations./x.cgi.interpreter: expected no such key beside program, not 'interpreter'",
    ),
    "cgi program and index": (
        C + "    locations: {/x: {cgi: {program: /usr/bin/git, index: []}}}\n",
        "8:51: vhosts.a.example.locations./x.cgi.index: expected no such key beside program, not 'index'",
    ),
    "cgi suffix alone": (
        C + "    locations: {/x: {cgi: {directory: /x, suffix: .php}}}\n",
        "8:43: vhosts.a.example.locations./x.cgi.suffix: expected this key beside interpreter alone, not 'suffix'",
    ),
    "cgi index alone": (
        C + "    locations: {/x: {cgi: {index: [a]}}}\n",
        "8:28: vhosts.a.example.locations./x.cgi.index: expected this key beside interpreter alone, not 'index'",
    ),
    "cgi interpreter without suffix": (
        C + "    locations: {/x: {cgi: {interpreter: /usr/bin/php-cgi}}}\n",
        "8:27: vhosts.a.example.locations./x.cgi: expected the key 'suffix', not its absence",
    ),
    "cgi interpreter relative": (
        C + "    locations: {/x: {cgi: {interpreter: php-cgi, suffix: .php}}}\n",
        (
            "8:41: vhosts.a.example.locations./x.cgi.interpreter: expected an absolute path of letters, digits and "
            "._-+@=~ without //, /./, /../ or a slash at the end, not 'php-cgi'"
        ),
    ),
    "cgi suffix without dot": (
        C + "    locations: {/x: {cgi: {interpreter: /usr/bin/php-cgi, suffix: php}}}\n",
        (
            "8:67: vhosts.a.example.locations./x.cgi.suffix: expected a suffix of a dot, letters and digits, such as "
            ".php, not 'php'"
        ),
    ),
    "cgi suffix of two": (
        C + "    locations: {/x: {cgi: {interpreter: /usr/bin/php-cgi, suffix: .php.x}}}\n",
        (
            "8:67: vhosts.a.example.locations./x.cgi.suffix: expected a suffix of a dot, letters and digits, such as "
            ".php, not '.php.x'"
        ),
    ),
    "cgi suffix long": (
        C + "    locations: {/x: {cgi: {interpreter: /usr/bin/php-cgi, suffix: .abcdefghijklmnop}}}\n",
        (
            "8:67: vhosts.a.example.locations./x.cgi.suffix: expected a suffix of a dot, letters and digits, such as "
            ".php, not '.abcdefghijklmnop'"
        ),
    ),
    "cgi domain unknown": (
        C + "    locations: {/x: {cgi: {domain: cgy}}}\n",
        (
            "8:36: vhosts.a.example.locations./x.cgi.domain: expected a name under domains with execute: true, the "
            "nearest being 'cgi', not 'cgy'"
        ),
    ),
    "cgi domain without execute": (
        C + "    locations: {/x: {cgi: {domain: app}}}\n",
        (
            "8:36: vhosts.a.example.locations./x.cgi.domain: expected a name under domains with execute: true, the "
            "nearest being 'cgi', not 'app'"
        ),
    ),
    "cgi domain type": (
        C + "    locations: {/x: {cgi: {domain: httpd_t}}}\n",
        (
            "8:36: vhosts.a.example.locations./x.cgi.domain: expected a name under domains with execute: true, the "
            "nearest being 'cgi', not 'httpd_t'"
        ),
    ),
    "cgi domain none at all": (
        (A + V).replace("domain: ", "") + "    locations: {/x: {cgi: {domain: public}}}\n",
        (
            "6:36: vhosts.a.example.locations./x.cgi.domain: expected a name under domains with execute: true, the "
            "nearest being none, not 'public'"
        ),
    ),
    "environment list": (
        C + "    locations: {/x: {cgi: {environment: [A]}}}\n",
        "8:41: vhosts.a.example.locations./x.cgi.environment: expected a mapping, {} when it is empty, not a list",
    ),
    "environment lower case": (
        C + "    locations: {/x: {cgi: {environment: {http_proxy: x}}}}\n",
        (
            "8:42: vhosts.a.example.locations./x.cgi.environment.http_proxy: expected a variable of A-Z, 0-9 and _ "
            "that selsock does not set itself, not 'http_proxy'"
        ),
    ),
    "environment digit": (
        C + "    locations: {/x: {cgi: {environment: {1A: x}}}}\n",
        (
            "8:42: vhosts.a.example.locations./x.cgi.environment.1A: expected a variable of A-Z, 0-9 and _ that "
            "selsock does not set itself, not '1A'"
        ),
    ),
    "environment hyphen": (
        C + "    locations: {/x: {cgi: {environment: {A-B: x}}}}\n",
        (
            "8:42: vhosts.a.example.locations./x.cgi.environment.A-B: expected a variable of A-Z, 0-9 and _ that "
            "selsock does not set itself, not 'A-B'"
        ),
    ),
    "environment nothing": (
        C + '    locations: {/x: {cgi: {environment: {"": x}}}}\n',
        (
            "8:42: vhosts.a.example.locations./x.cgi.environment.: expected a variable of A-Z, 0-9 and _ that "
            "selsock does not set itself, not nothing"
        ),
    ),
    "environment beyond ascii": (
        C + "    locations: {/x: {cgi: {environment: {ÄB: x}}}}\n",
        (
            "8:42: vhosts.a.example.locations./x.cgi.environment.ÄB: expected a variable of A-Z, 0-9 and _ that "
            "selsock does not set itself, not 'ÄB'"
        ),
    ),
    "environment tab": (
        C + '    locations: {/x: {cgi: {environment: {A: "b\\tc"}}}}\n',
        (
            "8:45: vhosts.a.example.locations./x.cgi.environment.A: expected 4000 printable characters at most, not "
            "'b\\tc'"
        ),
    ),
    "environment line break": (
        C + '    locations: {/x: {cgi: {environment: {A: "b\\nc"}}}}\n',
        (
            "8:45: vhosts.a.example.locations./x.cgi.environment.A: expected 4000 printable characters at most, not "
            "'b\\nc'"
        ),
    ),
    "environment nul": (
        C + '    locations: {/x: {cgi: {environment: {A: "b\\0c"}}}}\n',
        (
            "8:45: vhosts.a.example.locations./x.cgi.environment.A: expected 4000 printable characters at most, not "
            "'b\\x00c'"
        ),
    ),
    "environment long": (
        C + f"    locations: {{/x: {{cgi: {{environment: {{A: {'b' * 4001}}}}}}}}}\n",
        (
            "8:45: vhosts.a.example.locations./x.cgi.environment.A: expected 4000 printable characters at most, not "
            "'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb'…"
        ),
    ),
    "environment value list": (
        C + "    locations: {/x: {cgi: {environment: {A: [b]}}}}\n",
        "8:45: vhosts.a.example.locations./x.cgi.environment.A: expected a single value, not a list",
    ),
    "temporary root": (
        W + "    temporary: /\n",
        "8:16: vhosts.a.example.temporary: expected a directory in the root, such as /tmp, not '/'",
    ),
    "temporary relative": (
        W + "    temporary: tmp\n",
        (
            "8:16: vhosts.a.example.temporary: expected an absolute path of letters, digits and ._-+@=~ without //, "
            "/./, /../ or a slash at the end, not 'tmp'"
        ),
    ),
    "temporary with the root": (
        W + "    temporary: /srv/a/tmp\n    locations: {/: {static: {directory: /w}}}\n",
        "8:16: vhosts.a.example.temporary: expected a path from the root on, such as /tmp, not '/srv/a/tmp'",
    ),
    "directory that is the root": (
        W + "    locations: {/: {static: {directory: /srv/a}}}\n",
        "8:41: vhosts.a.example.locations./.static.directory: expected a path from the root on, such as /, not '/srv/a'",
    ),
    "temporary shown": (
        W + "    temporary: /tmp\n",
        "8:16: vhosts.a.example.temporary: expected a directory of which location / shows nothing, not '/tmp'",
    ),
    "temporary shown by a location": (
        W + "    temporary: /x/tmp\n    locations: {/: {static: {directory: /w}}, /y: {static: {directory: /x}}}\n",
        "8:16: vhosts.a.example.temporary: expected a directory of which location /y shows nothing, not '/x/tmp'",
    ),
    "temporary shown beside scripts": (
        C
        + "    temporary: /x\n"
        + "    locations: {/: {static: {directory: /w}}, /x: {cgi: {interpreter: /usr/bin/php-cgi, suffix: .php}}}\n",
        "8:16: vhosts.a.example.temporary: expected a directory of which location /x shows nothing, not '/x'",
    ),
    "temporary read": (
        W + "    temporary: /tmp\n    content: {/tmp: app}\n    locations: {/: {static: {directory: /w}}}\n",
        (
            "9:21: vhosts.a.example.content./tmp: expected a context with access: write for the directory under "
            "temporary, not 'app'"
        ),
    ),
    "temporary execute": (
        W
        + "    temporary: /tmp\n    content: {/tmp: {access: execute}}\n    locations: {/: {static: {directory: /w}}}\n",
        (
            "9:21: vhosts.a.example.content./tmp: expected a context with access: write for the directory under "
            "temporary, not a mapping"
        ),
    ),
    "temporary of a type": (
        W.replace("domain: app", "domain: my_t")
        + "    temporary: /tmp\n    content: {/: app}\n    locations: {/: {static: {directory: /w}}}\n",
        "9:14: vhosts.a.example.content: expected content with /tmp, since my_t is no type of files, not none",
    ),
    "access unknown": (
        W + "    content: {/x: {access: wirte}}\n",
        "8:28: vhosts.a.example.content./x.access: expected read, write or execute, not 'wirte'",
    ),
    "access list": (
        W + "    content: {/x: {access: [read, write]}}\n",
        "8:28: vhosts.a.example.content./x.access: expected a single value, not a list",
    ),
    "access of a type": (
        W + "    content: {/x: {domain: my_content_t, access: write}}\n",
        (
            "8:50: vhosts.a.example.content./x.access: expected read, for what a type of your own such as "
            "my_content_t allows is up to your policy, not 'write'"
        ),
    ),
    "content empty mapping": (
        W + "    content: {/x: {}}\n",
        "8:19: vhosts.a.example.content./x: expected domain, range or access, not an empty mapping",
    ),
    "content unknown": (
        W + "    content: {/x: {acces: write}}\n",
        "8:20: vhosts.a.example.content./x.acces: expected a known key, the nearest being 'access', not 'acces'",
    ),
    "content path relative": (
        W + "    content: {x: app}\n",
        (
            "8:15: vhosts.a.example.content.x: expected an absolute path of letters, digits and ._-+@=~ without //, "
            "/./, /../ or a slash at the end, not 'x'"
        ),
    ),
    "python false": ("domains: {app: {python: false}}\n" + V, "1:25: domains.app.python: expected true, not 'false'"),
    "python nothing": ("domains: {app: {python: }}\n" + V, "1:25: domains.app.python: expected true, not nothing"),
    "execute one": ("domains: {app: {execute: 1}}\n" + V, "1:26: domains.app.execute: expected true, not '1'"),
    "network scalar": (
        "domains: {app: {network: http}}\n" + V,
        "1:26: domains.app.network: expected a list, not 'http'",
    ),
    "network unknown": (
        "domains: {app: {network: [https]}}\n" + V,
        (
            "1:27: domains.app.network[0]: expected one of http, ldap, memcached, mysql, postgresql, redis, smtp, "
            "not 'https'"
        ),
    ),
    "domain rw": (
        "domains: {a_rw: {}}\n" + V,
        (
            "1:11: domains.a_rw: expected a domain name (a-z, 0-9, _; not ending in _t, _content, _rw, _script, _tmp "
            "or _login; none of selsock's own), not 'a_rw'"
        ),
    ),
    "domain script": (
        "domains: {a_script: {}}\n" + V,
        (
            "1:11: domains.a_script: expected a domain name (a-z, 0-9, _; not ending in _t, _content, _rw, _script, _tmp "
            "or _login; none of selsock's own), not 'a_script'"
        ),
    ),
    "domain tmp": (
        "domains: {a_tmp: {}}\n" + V,
        (
            "1:11: domains.a_tmp: expected a domain name (a-z, 0-9, _; not ending in _t, _content, _rw, _script, _tmp "
            "or _login; none of selsock's own), not 'a_tmp'"
        ),
    ),
    "domain cache": (
        "domains: {cache: {}}\n" + V,
        (
            "1:11: domains.cache: expected a domain name (a-z, 0-9, _; not ending in _t, _content, _rw, _script, _tmp "
            "or _login; none of selsock's own), not 'cache'"
        ),
    ),
    "access temporary": (
        W + "    content: {/x: {access: temporary}}\n",
        "8:28: vhosts.a.example.content./x.access: expected read, write or execute, not 'temporary'",
    ),
}


def refusal(text: str) -> str:
    """What ``text`` is answered with, "" when it is accepted."""
    try:
        conflicts.check(configure(load(text.encode(), "vhost.yaml"), "vhost.yaml", Ledger()))
    except BadSource as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", REFUSED)
def test_each_mistake_is_named_where_it_stands(name: str) -> None:
    text, answer = REFUSED[name]
    assert refusal(text) == f"vhost.yaml:{answer}"
    assert "\n" not in answer


def test_the_frame_of_the_cases_is_itself_good() -> None:
    """Otherwise a case could be refused for the frame's mistake."""
    assert refusal(A + V) == ""
    assert refusal(D + V + "    contexts: [{any: true, context: public:s0}]\n    content: {/: public:s0}\n") == ""
    assert refusal(W + "    locations: {/x: {wsgi: {application: a:b}}}\n") == ""
    assert refusal(C + "    locations: {/x: {cgi: {}}}\n") == ""


@pytest.mark.parametrize(
    "name",
    [
        *["AUTH_TYPE", "CONTENT_LENGTH", "CONTENT_TYPE", "GATEWAY_INTERFACE", "PATH_INFO", "PATH_TRANSLATED"],
        *["QUERY_STRING", "REMOTE_ADDR", "REMOTE_HOST", "REMOTE_IDENT", "REMOTE_USER", "REQUEST_METHOD", "SCRIPT_NAME"],
        *["SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "SERVER_SOFTWARE", "HTTP_PROXY", "PATH", "TMPDIR"],
        *["PYTHONPATH", "LD_PRELOAD", "DOCUMENT_ROOT", "REQUEST_URI", "SCRIPT_FILENAME", "REDIRECT_STATUS", "HTTPS"],
    ],
)
def test_variables_that_are_selsocks_own(name: str) -> None:
    """RFC 3875 §4.1 and what servers add to it; what would load a tenant's code into another program."""
    assert refusal(C + f"    locations: {{/x: {{cgi: {{environment: {{{name}: x}}}}}}}}\n") == (
        f"vhost.yaml:8:42: vhosts.a.example.locations./x.cgi.environment.{name}: "
        f"expected a variable of A-Z, 0-9 and _ that selsock does not set itself, not {name!r}"
    )


@pytest.mark.parametrize("name", ["A", "_A1", "PATHS", "HTTPD", "GIT_PROJECT_ROOT", "LDAP_URI", "X" * 100])
def test_variables_that_only_look_like_selsocks_own(name: str) -> None:
    """And that may be set to anything printable, or to nothing."""
    for value in ("x", '""', f"'{'ä' * 4000}'", "'a=b \" c'"):
        assert refusal(C + f"    locations: {{/x: {{cgi: {{environment: {{{name}: {value}}}}}}}}}\n") == ""


@pytest.mark.parametrize(
    "content",
    [
        *["static: {}", "static: {directory: /}", f"static: {{directory: /{'x' * 993}}}", "static: {index: []}"],
        *["static: {index: [a, .b]}", f"static: {{index: [{'x' * 255}]}}", "cgi: {program: /a, domain: cgi}"],
        *["cgi: {interpreter: /a, suffix: .p}", "cgi: {interpreter: /a, suffix: .abcdefghijklmno, index: []}"],
        *["wsgi: {application: a.b_1:c.d, python: [], venv: /, environment: {}}"],
        f"wsgi: {{application: a:{'b' * 248}}}",
    ],
)
def test_contents_that_are_allowed(content: str) -> None:
    """Each at a limit, or left empty."""
    both = P.replace("{python: true}", "{python: true, execute: true}") + W.removeprefix(P)
    assert refusal(f"{both}    locations: {{/x: {{{content}}}}}\n") == ""


@pytest.mark.parametrize(
    "limit",
    [
        *["head_bytes: 1048576", "head_bytes: 65536, request_line_bytes: 65536", "connection_seconds: 86400"],
        *["chunk_line_bytes: 65536", "trailer_bytes: 1048576", "request_seconds: 86400, connection_seconds: 86400"],
    ],
)
def test_the_greatest_value_of_a_limit_is_allowed(limit: str) -> None:
    assert refusal(f"limits: {{{limit}}}\n" + A + V) == ""


@pytest.mark.parametrize("limit", ["chunk_line_bytes: 16", "trailer_bytes: 2", "content_bytes: 0", "head_bytes: 512"])
def test_the_least_value_of_a_limit_is_allowed(limit: str) -> None:
    """And one less is not: see above."""
    assert refusal(f"limits: {{{limit}}}\n" + A + V) == ""


@pytest.mark.parametrize(
    "path", ["/etc/selsock/users.htpasswd", "/etc/selsock/htpasswd", "/etc/apache2/.htpasswd", "/var/lib/x/a-htpasswd"]
)
def test_password_files_that_are_allowed(path: str) -> None:
    """By the end of its name, as policy and administrators know them."""
    assert refusal(A + V + f"    auth: {{basic: {{realm: x, file: {path}}}}}\n") == ""


@pytest.mark.parametrize("root", ["/srv/home", "/homes/a", "/srv/media/a", "/var/www/mnt"])
def test_roots_that_only_look_like_the_systems(root: str) -> None:
    assert refusal(A + f"vhosts:\n  a.example: {{root: {root}}}\n") == ""


def test_welcome_page_is_the_one_root_in_usr() -> None:
    """Neither what is around it nor what is in it."""
    assert refusal(A + "vhosts:\n  a.example: {root: /usr/share/selsock/welcome}\n") == ""
    for root in ("/usr/share/selsock", "/usr/share/selsock/welcome/x", "/usr/share/selsock/welcomes"):
        assert refusal(A + f"vhosts:\n  a.example: {{root: {root}}}\n") == (
            "vhost.yaml:4:21: vhosts.a.example.root: expected a directory of its own, such as /srv/www, "
            f"outside the system's, not {root!r}"
        )


@pytest.mark.parametrize("character", ["\x00", "\x01", "\x7f", "\x85", "\u2028", "\ufeff", "\U0001f600"])
def test_no_character_breaks_the_answer_into_two_lines(character: str) -> None:
    answer = refusal(A + V + f'    "al{character}ias": x\n')
    assert answer
    assert answer.splitlines() == [answer]


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(BadSource, match=r"^vhost.yaml:2:1: the whole: expected UTF-8, not the byte 0xff$"):
        load(b"selinux: required\n\xff", "vhost.yaml")
