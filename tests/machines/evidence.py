# SPDX-License-Identifier: Apache-2.0
"""Pytest hooks: keep the logs of the machines when a test fails, and end the machines when pytest is told to end.

A conftest.py imports pytest_configure and pytest_runtest_makereport from here.
"""

import signal
from collections.abc import Generator

import pytest

from tests.machines import logs
from tests.machines.commands import Report, cache, to_stderr


def pytest_configure(config: pytest.Config) -> None:
    """Let SIGTERM and SIGHUP unwind like Ctrl-C, so that every context manager ends what it started."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Have the machines keep their logs when a test failed; once, at their end, for that takes seconds."""
    report = yield
    if report.failed:
        logs.wanted = True
        report.sections.append(("machines", f"their logs will be in {cache()}/logs"))
    return report


def reporter(config: pytest.Config) -> Report:
    """A Report that reaches the terminal although pytest captures stderr."""
    capture = config.pluginmanager.getplugin("capturemanager")

    def report(step: str) -> None:
        if capture is None:
            to_stderr(step)
            return
        with capture.global_and_fixture_disabled():
            to_stderr(step)

    return report
