# SPDX-License-Identifier: Apache-2.0
# `make help` lists the targets; only those are meant to be called.  Debian 12 or newer; the tools are installed on demand.

DESTDIR =
PREFIX = /usr
SYSCONFDIR = /etc
ARGS =

# Debian's own Python: the bindings of SELinux and systemd come from its packages, and PATH may hold another one.
PYTHON3 = /usr/bin/python3

# The one place where the version stands.
VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"$$/\1/p' selsock/__init__.py)
# Everything that must not be mixed with another release lies in a directory of this name.
RELEASE = $(VERSION)
CODE = $(PREFIX)/lib/selsock/$(RELEASE)

# Where the distribution keeps Python's bindings of libselinux; sys.platlibdir is lib64 on Fedora.
SITE := $(or $(wildcard /usr/lib/python3/dist-packages),$(shell \
	$(PYTHON3) -Ic 'import sys; print("/usr/{sys.platlibdir}/python%d.%d/site-packages" % sys.version_info[:2])'))
# SELinux's policy store: targeted on Fedora, default on Debian.
SELINUXTYPE := $(or $(shell sed -n 's/^SELINUXTYPE=//p' /etc/selinux/config 2>/dev/null),targeted)
# The stacks that the distribution keeps for services, as pam.d/selsock includes them.
PAM_AUTH := $(if $(wildcard /etc/pam.d/common-auth),common-auth,password-auth)
PAM_ACCOUNT := $(if $(wildcard /etc/pam.d/common-account),common-account,password-auth)

VENV = .venv/bin

# Python 3.13, which Debian has from 13 on, has no crypt of its own.
CRYPT = $(shell . /etc/os-release; [ "$${VERSION_ID:-99}" -lt 13 ] || echo python3-crypt-r)
UNIT_PACKAGES = acl git python3-venv $(CRYPT) python3-selinux python3-systemd python3-jinja2 python3-yaml \
	checkpolicy python3-setools secilc selint shellcheck systemd tinycdb apache2-utils curl openssl scdoc
MACHINE_PACKAGES = mmdebstrap debian-archive-keyring qemu-system-x86 e2fsprogs openssh-client iproute2 procps \
	strace
VM_PACKAGES = chromium

# The files of tests/vm that have a machine of their own; all others share one.
VM_ALONE = package applications sql login

# The services beside the handler, in /usr/libexec/selsock.
SERVICES = identify pam sql

MAN_PAGES = $(patsubst docs/man/%.scd,build/man/%,$(wildcard docs/man/*.scd))

SHIPPED = selsock units policy packaging docs/man Makefile pyproject.toml LICENSE README.md ARCHITECTURE.md SECURITY.md \
	CHANGELOG.md
# Whoever checked it out may be another user than the one that builds.
GIT = git -c safe.directory='$(CURDIR)'
SHELL_SCRIPTS = .ci/run packaging/completion.bash packaging/completion-ctl.bash $(shell $(GIT) ls-files '*.sh' 2>/dev/null)
NEEDS_ROOT = @[ "$$(id -u)" = 0 ] || { echo 'make $@ needs root: it makes root trees and mounts' >&2; exit 1; }
INSTALL_DATA = install -p -m 644 -D -t
# Byte code for the Python that runs it: the handler in one file, and selsock-generate as usual.
COMPILE = $(PYTHON3) -Xno_debug_ranges packaging/freeze.py $(CODE) $(DESTDIR) && \
	$(PYTHON3) -m compileall -q -f --invalidation-mode unchecked-hash $(if $(DESTDIR),-s $(DESTDIR) -p /) $(DESTDIR)$(CODE)

.PHONY: help demo check unit fuzz fuzz-check rpm systemd vm vm-package vm-hosting vm-applications vm-login vm-shared lint bench build dist shipped release-check install install-selsock install-selinux clean
.DELETE_ON_ERROR:

help:
	@echo 'make demo       start a machine with SELinux enforcing and show selsock at work; ARGS="..." is passed on'
	@echo 'make check      everything down to vm, two at a time: what CI runs'
	@echo 'make lint       ruff, mypy, shellcheck, selint'
	@echo 'make unit       tests that need no privilege (seconds)'
	@echo 'make fuzz       messages at random, read by selsock, llhttp and h11, until interrupted; ARGS="--seconds 60"'
	@echo 'make fuzz-check the same for a minute, from known seeds and a fresh one'
	@echo 'make rpm        build the packages in a Debian tree, lint and test them; they are left in build/rpm (root)'
	@echo 'make systemd    tests on real systemds, 252 and 257, in namespaces (root)'
	@echo 'make vm         tests on a Debian with SELinux enforcing under QEMU (root, minutes without KVM)'
	@echo 'make bench      what a connection costs, beside what one might use instead (root); ARGS="--help"'
	@echo 'make bench BENCH=vm  the same on an enforcing kernel, and what SELinux adds to it (root)'
	@echo 'make bench BENCH=hosting  what a thousand customers cost: apply, diff, verify, a visit to each (root)'
	@echo 'make build      man pages, policy and the packaged configuration'
	@echo 'make install    what the packages contain, into DESTDIR, default /; also install-selsock, install-selinux'
	@echo 'make dist       the source archive and the spec that an RPM is built from'
	@echo 'make release-check  list what a release needs, and check it'
	@echo 'make clean      remove what make made, but for the cached root trees and images in .cache'
	@echo
	@echo 'variables       DESTDIR, SELINUXTYPE, RELEASE, ARGS (for pytest, the fuzzer, the demo or the bench)'
	@echo 'environment     SELSOCK_CACHE=.cache, SELSOCK_MIRROR (a Debian mirror)'

# Two jobs at once, in this order: an emulated machine has one processor.  The output of each comes in one piece, at its end.
check: .venv/ready .venv/machines .venv/vm
	$(MAKE) --jobs=2 --output-sync=target lint rpm unit fuzz-check $(VM_ALONE:%=vm-%) vm-shared systemd

lint: .venv/ready
	$(VENV)/ruff check selsock tests packaging
	$(VENV)/ruff format --check selsock tests packaging
	$(VENV)/mypy selsock tests packaging/*.py
	shellcheck $(SHELL_SCRIPTS)
	selint --source --fail policy/selsock.te policy/selsock.if policy/selsock.fc

unit: .venv/ready
	$(VENV)/python -m pytest tests/unit tests/fuzz tests/test_layering.py tests/test_typing.py $(ARGS)

fuzz: .venv/ready
	$(VENV)/python -m tests.fuzz $(ARGS)

fuzz-check: .venv/ready
	$(VENV)/python -m tests.fuzz --check

rpm: .venv/ready .venv/machines
	$(NEEDS_ROOT)
	$(VENV)/python -m pytest tests/rpm $(ARGS)

systemd: .venv/ready .venv/machines
	$(NEEDS_ROOT)
	$(VENV)/python -m pytest tests/policy tests/systemd $(ARGS)

vm: .venv/ready .venv/machines .venv/vm
	$(NEEDS_ROOT)
	$(VENV)/python -m pytest tests/vm $(ARGS)

# The same in five, one for each machine.
$(VM_ALONE:%=vm-%): vm-%: .venv/ready .venv/machines .venv/vm
	$(NEEDS_ROOT)
	$(VENV)/python -m pytest tests/vm/test_$*.py $(ARGS)

vm-shared: .venv/ready .venv/machines .venv/vm
	$(NEEDS_ROOT)
	$(VENV)/python -m pytest tests/vm $(VM_ALONE:%=--ignore=tests/vm/test_%.py) $(ARGS)

demo: .venv/ready .venv/machines
	$(NEEDS_ROOT)
	$(VENV)/python -m tests.demo $(ARGS)

bench: .venv/ready .venv/machines
	$(NEEDS_ROOT)
	$(VENV)/python -m tests.bench$(if $(filter vm hosting,$(BENCH)),.$(BENCH)) $(ARGS)

# Stamps: a tool is looked for again when its list, in this file, has changed; one after the other, for apt is one's alone.
.venv/ready: requirements-dev.txt .venv/unit
	$(PYTHON3) -m venv --system-site-packages .venv
	$(VENV)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

.venv/unit: PACKAGES = $(UNIT_PACKAGES)
.venv/machines: PACKAGES = $(MACHINE_PACKAGES)
.venv/vm: PACKAGES = $(VM_PACKAGES)
.venv/machines: | .venv/unit
.venv/vm: | .venv/machines
.venv/unit .venv/machines .venv/vm: Makefile
	@tests/install-packages $(PACKAGES)
	@mkdir -p .venv && touch $@

build: $(MAN_PAGES) build/welcome build/selinux/selsock.pp.bz2

build/man/%: docs/man/%.scd
	@mkdir -p build/man
	scdoc <$< >$@

# The packaged configuration, compiled: it serves a welcome page before anybody has run selsock-generate.
build/welcome: packaging/vhost.yaml $(wildcard selsock/*.py selsock/generate/*.py selsock/mls/*.py units/*.j2 policy/*.j2)
	rm -rf $@
	$(PYTHON3) -B -m selsock.generate --output $@ packaging/vhost.yaml
	@touch $@

build/selinux/selsock.pp.bz2: policy/selsock.te policy/selsock.if policy/selsock.fc
	install -d build/selinux
	cp policy/selsock.te policy/selsock.if policy/selsock.fc build/selinux
	$(MAKE) -C build/selinux -f /usr/share/selinux/devel/Makefile selsock.pp
	bzip2 --best --force --keep build/selinux/selsock.pp

install: build
	$(MAKE) install-selsock install-selinux

install-selsock: $(MAN_PAGES) build/welcome
	find selsock \( -name '*.py' -o -name '*.j2' \) -exec install -p -m 644 -D {} $(DESTDIR)$(CODE)/{} \;
	$(INSTALL_DATA) $(DESTDIR)$(CODE)/units units/*.j2
	$(INSTALL_DATA) $(DESTDIR)$(CODE)/policy policy/*.j2
	$(COMPILE)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/libexec/selsock
	# The same program in two files, for the two domains that its process may begin in.
	for program in serve serve-as; do \
		sed -e 's|@CODE@|$(CODE)|' -e 's|@SITE@|$(SITE)|' packaging/serve.in >$(DESTDIR)$(PREFIX)/libexec/selsock/$$program || exit; \
	done
	for program in $(SERVICES) probe; do \
		sed -e 's|@CODE@|$(CODE)|' -e 's|@SITE@|$(SITE)|' packaging/$$program.in >$(DESTDIR)$(PREFIX)/libexec/selsock/$$program || exit; \
	done
	for program in selsock-generate selsockctl; do \
		sed 's|@CODE@|$(CODE)|' packaging/$$program.in >$(DESTDIR)$(PREFIX)/bin/$$program || exit; \
		chmod 755 $(DESTDIR)$(PREFIX)/bin/$$program; \
	done
	chmod 755 $(DESTDIR)$(PREFIX)/libexec/selsock/*
	$(INSTALL_DATA) $(DESTDIR)$(PREFIX)/lib/systemd/system units/*.socket units/*.service
	for unit in selsock.socket selsock@.service system-selsock.slice; do \
		sed -e 's|^# Written by selsock-generate .*|# As packaged; selsock-generate writes its own to /etc/systemd/system, which come before these.|' \
			-e 's|/var/lib/selsock/table.cdb|$(PREFIX)/share/selsock/welcome.cdb|' \
			build/welcome/etc/systemd/system/$$unit >$(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit || exit; \
	done
	install -p -m 644 -D packaging/sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/selsock.conf
	install -p -m 644 -D packaging/tmpfiles.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/selsock.conf
	install -p -m 644 -D build/welcome/var/lib/selsock/table.cdb $(DESTDIR)$(PREFIX)/share/selsock/welcome.cdb
	$(INSTALL_DATA) $(DESTDIR)$(PREFIX)/share/selsock/welcome packaging/welcome/index.html
	# An administrator's own are left alone, as rpm leaves them.
	[ -e $(DESTDIR)$(SYSCONFDIR)/selsock/vhost.yaml ] || $(INSTALL_DATA) $(DESTDIR)$(SYSCONFDIR)/selsock packaging/vhost.yaml
	install -d $(DESTDIR)$(SYSCONFDIR)/pam.d
	[ -e $(DESTDIR)$(SYSCONFDIR)/pam.d/selsock ] || sed -e 's|@PAM_AUTH@|$(PAM_AUTH)|' \
		-e 's|@PAM_ACCOUNT@|$(PAM_ACCOUNT)|' packaging/selsock.pam >$(DESTDIR)$(SYSCONFDIR)/pam.d/selsock
	install -p -m 644 -D packaging/completion.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/selsock-generate
	install -p -m 644 -D packaging/completion-ctl.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/selsockctl
	for page in $(notdir $(MAN_PAGES)); do \
		install -p -m 644 -D build/man/$$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$$page || exit; \
	done
	$(INSTALL_DATA) $(DESTDIR)$(PREFIX)/share/doc/selsock README.md ARCHITECTURE.md SECURITY.md CHANGELOG.md
	$(INSTALL_DATA) $(DESTDIR)$(PREFIX)/share/licenses/selsock LICENSE
	install -d -m 750 $(DESTDIR)/var/lib/selsock
	install -d -m 711 $(DESTDIR)/var/cache/selsock

install-selinux: build/welcome build/selinux/selsock.pp.bz2
	$(INSTALL_DATA) $(DESTDIR)$(PREFIX)/share/selinux/packages/$(SELINUXTYPE) \
		build/selinux/selsock.pp.bz2 build/welcome/var/lib/selsock/selsock_tenants.cil
	$(INSTALL_DATA) $(DESTDIR)$(PREFIX)/share/selinux/devel/include/distributed policy/selsock.if

# The time stamps are those of the last commit that changed what is shipped: same content, same bytes.
# Whoever reads a file while another run writes it finds it whole.
dist: WHOLE = >build/rpm/$$PPID && mv build/rpm/$$PPID build/rpm
dist: EPOCH = $(shell $(GIT) log -1 --format=%ct -- $(SHIPPED))
dist:
	install -d build/rpm
	$(GIT) ls-files -z | tar --create --null --files-from=- --mtime=@$(EPOCH) --owner=0 --group=0 --numeric-owner \
		--mode=u=rwX,go=rX --transform='s,^,selsock-$(VERSION)/,' | gzip -n $(WHOLE)/selsock-$(VERSION).tar.gz
	sed 's/^Version:.*/Version:        $(VERSION)/' packaging/rpm/selsock.spec $(WHOLE)/selsock.spec
	@echo $(EPOCH) $(WHOLE)/epoch

shipped:
	@$(GIT) ls-files -z $(SHIPPED)

release-check: .venv/ready
	$(VENV)/python packaging/release_check.py

clean:
	rm -rf .venv build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find selsock tests -name __pycache__ -prune -exec rm -rf {} +
