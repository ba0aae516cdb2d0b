"""A test that is skipped for a reason nobody allowed fails the session."""

import os
import subprocess
import sys

import pytest

from tinko_pipelines.local.layout import ROOT

FINE = "def test_fine():\n    pass\n"
SKIPPED = "import pytest\n\ndef test_skipped():\n    pytest.skip('no such engine here')\n"
NOT_COLLECTED = "import pytest\n\npytest.importorskip('no_such_module')\n"
XFAILED = "import pytest\n\n@pytest.mark.xfail(strict=True)\ndef test_known():\n    assert False\n"


def session(folder, program):
    (folder / "test_fine.py").write_text(FINE)
    (folder / "test_made_up.py").write_text(program)
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q"),
            *("-p", "xdist.plugin", "-p", "tests.skips"),
            str(folder),
        ],
        cwd=ROOT,
        # the other plugins that are installed have no part in it, and take seconds to load
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("program", "reason"),
    [(SKIPPED, "no such engine here"), (NOT_COLLECTED, "No module named 'no_such_module'")],
)
def test_it_fails_and_says_why(tmp_path, program, reason):
    done = session(tmp_path, program)
    assert done.returncode == 1, done.stdout
    assert "skipped, and nothing allows it" in done.stdout
    assert reason in done.stdout


@pytest.mark.parametrize("program", [FINE, XFAILED])
def test_a_session_without_skips_passes(tmp_path, program):
    done = session(tmp_path, program)
    assert done.returncode == 0, done.stdout
    assert "nothing allows it" not in done.stdout
