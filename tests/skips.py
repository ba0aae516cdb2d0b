"""A skipped test fails the session unless its reason is allowed."""

import pytest

# each with why nothing is lost by it
ALLOWED_SKIPS: frozenset[str] = frozenset()
_skipped: list[str] = []


def pytest_runtest_logreport(report):
    if report.skipped and not hasattr(report, "wasxfail"):
        _note_skip(report)


def pytest_collectreport(report):
    if report.skipped:
        _note_skip(report)


def _note_skip(report):
    reason = report.longrepr[2].removeprefix("Skipped: ")
    if reason not in ALLOWED_SKIPS:
        _skipped.append(f"{report.nodeid}: {reason}")


def pytest_testnodedown(node):
    """What a worker of pytest-xdist skipped while it collected is known to it alone."""
    for line in getattr(node, "workeroutput", {}).get("skipped", ()):
        if line not in _skipped:
            _skipped.append(line)


def pytest_sessionfinish(session, exitstatus):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["skipped"] = _skipped
        return
    if _skipped and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    for line in _skipped:
        terminalreporter.write_line(f"skipped, and nothing allows it: {line}", red=True)
