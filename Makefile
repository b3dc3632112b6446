# SPDX-License-Identifier: Apache-2.0
# `make help` lists the targets; only those are meant to be called.  Debian 12 or newer; the tools are installed on demand.

DESTDIR =
PREFIX = /usr
PYTHONLIB = $(PREFIX)/lib/python3/dist-packages
ARGS =

# Debian's own Python: the bindings of SELinux and systemd come from its packages, and PATH may hold another one.
PYTHON3 = /usr/bin/python3
VENV = .venv/bin

# Python 3.13, which Debian has from 13 on, has no crypt of its own.
CRYPT = $(shell . /etc/os-release; [ "$${VERSION_ID:-99}" -lt 13 ] || echo python3-crypt-r)
UNIT_PACKAGES = python3-venv $(CRYPT) python3-selinux python3-systemd python3-jinja2 python3-yaml \
	checkpolicy secilc selint shellcheck systemd tinycdb apache2-utils curl openssl scdoc
MACHINE_PACKAGES = mmdebstrap debian-archive-keyring qemu-system-x86 e2fsprogs openssh-client iproute2 procps
VM_PACKAGES = chromium

MAN_PAGES = $(patsubst docs/man/%.scd,build/man/%,$(wildcard docs/man/*.scd))

SHELL_SCRIPTS = .ci/run $(shell git ls-files '*.sh')
NEEDS_ROOT = @[ "$$(id -u)" = 0 ] || { echo 'make $@ needs root: it makes root trees and mounts' >&2; exit 1; }
INSTALL_DATA = install -m 644 -t

.PHONY: help demo check unit systemd vm lint bench install clean
.DELETE_ON_ERROR:

help:
	@echo 'make demo       start a machine with SELinux enforcing and show selsock at work; ARGS="..." is passed on'
	@echo 'make check      everything below, in this order: what CI runs'
	@echo 'make lint       ruff, mypy, shellcheck, selint'
	@echo 'make unit       tests that need no privilege (seconds)'
	@echo 'make systemd    tests on real systemds, 252 and 257, in namespaces (root)'
	@echo 'make vm         tests on a Debian with SELinux enforcing under QEMU (root, minutes without KVM)'
	@echo 'make bench      what a connection costs, beside the bare interpreter (root)'
	@echo 'make install    install into DESTDIR, default /'
	@echo 'make clean      remove what make made, but for the cached root trees and images in .cache'
	@echo
	@echo 'variables       DESTDIR, PREFIX=/usr, PYTHONLIB=PREFIX/lib/python3/dist-packages, ARGS (for pytest, or the demo)'
	@echo 'environment     SELSOCK_CACHE=.cache, SELSOCK_MIRROR (a Debian mirror)'

check:
	$(MAKE) lint
	$(MAKE) unit
	$(MAKE) systemd
	$(MAKE) vm

lint: .venv/ready
	$(VENV)/ruff check selsock tests
	$(VENV)/ruff format --check selsock tests
	$(VENV)/mypy selsock tests
	shellcheck $(SHELL_SCRIPTS)
	selint --source --fail policy/selsock.te policy/selsock.if policy/selsock.fc

unit: .venv/ready
	$(VENV)/python -m pytest tests/unit tests/test_layering.py tests/test_typing.py $(ARGS)

systemd: .venv/ready .venv/machines
	$(NEEDS_ROOT)
	$(VENV)/python -m pytest tests/policy tests/systemd $(ARGS)

vm: .venv/ready .venv/machines .venv/vm
	$(NEEDS_ROOT)
	$(VENV)/python -m pytest tests/vm $(ARGS)

demo: .venv/ready .venv/machines
	$(NEEDS_ROOT)
	$(VENV)/python -m tests.demo $(ARGS)

bench: .venv/ready .venv/machines
	$(NEEDS_ROOT)
	$(VENV)/python -m tests.bench $(ARGS)

# Stamps: a tool is looked for again when its list, in this file, has changed.
.venv/ready: requirements-dev.txt .venv/unit
	$(PYTHON3) -m venv --system-site-packages .venv
	$(VENV)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

.venv/unit: PACKAGES = $(UNIT_PACKAGES)
.venv/machines: PACKAGES = $(MACHINE_PACKAGES)
.venv/vm: PACKAGES = $(VM_PACKAGES)
.venv/unit .venv/machines .venv/vm: Makefile
	@tests/install-packages $(PACKAGES)
	@mkdir -p .venv && touch $@

build/man/%: docs/man/%.scd
	@mkdir -p build/man
	scdoc <$< >$@

install: $(if $(shell command -v scdoc),$(MAN_PAGES))
	install -d $(DESTDIR)$(PYTHONLIB) $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/libexec/selsock
	for page in $(notdir $(filter %.5 %.8,$^)); do \
		install -D -m 644 build/man/$$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$$page; done
	install -d $(DESTDIR)$(PREFIX)/share/selsock/units $(DESTDIR)$(PREFIX)/share/selsock/policy $(DESTDIR)/etc/selsock
	find selsock -name '*.py' -exec install -D -m 644 {} $(DESTDIR)$(PYTHONLIB)/{} \;
	$(INSTALL_DATA) $(DESTDIR)$(PREFIX)/share/selsock/units units/*
	$(INSTALL_DATA) $(DESTDIR)$(PREFIX)/share/selsock/policy policy/*.j2
	sed 's|@PYTHONLIB@|$(PYTHONLIB)|g' packaging/serve.in >$(DESTDIR)$(PREFIX)/libexec/selsock/serve
	printf '%s\n' '#!$(PYTHON3) -I' 'from selsock.generate.__main__ import main' 'raise SystemExit(main())' \
		>$(DESTDIR)$(PREFIX)/bin/selsock-generate
	chmod 755 $(DESTDIR)$(PREFIX)/libexec/selsock/serve $(DESTDIR)$(PREFIX)/bin/selsock-generate

clean:
	rm -rf .venv build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find selsock tests -name __pycache__ -prune -exec rm -rf {} +
