"""What the documents point at is there, and no file tells where it was made."""

import re
import subprocess

import pytest

from tinko_pipelines.local.layout import ROOT

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
MAKE = re.compile(r"(?:^|[\s;&])make((?:\s+[a-z]+)+)", re.MULTILINE)
TARGET = re.compile(r"^([a-z]+):", re.MULTILINE)
# a folder of somebody's machine, with something in it
MACHINE_PATH = re.compile(r"(?<![\w.$}/-])/(?:work|root|tmp|home/[a-z]+|Users/\w+)/[\w.-]+")
REGISTRY = re.compile(
    r"--(?:extra-)?index-url[= ]\S+|--find-links[= ]\S+"
    r"|https?://[^\s\"']*(?:pypi|pythonhosted|simple/|packages/|npmjs|artifactory|nexus)"
)


def tracked():
    """Every file in git's index."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


FILES = tracked()
DOCUMENTS = [name for name in FILES if name.endswith(".md")]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8", errors="ignore")


def commands(text):
    """What a document shows as code, comments of the shell left out."""
    shown = [*FENCE.findall(text), *CODE.findall(FENCE.sub("", text))]
    return [re.sub(r"\s#.*", "", line) for part in shown for line in part.splitlines()]


def test_the_documents_are_found():
    assert {"README.md", "CONTRIBUTING.md", "docs/decisions/README.md"} <= set(DOCUMENTS)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name):
    folder = (ROOT / name).parent
    targets = [link.partition("#")[0] for link in LINK.findall(read(name)) if "://" not in link]
    broken = [one for one in targets if one and not (folder / one).exists()]
    assert broken == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_linked_files_are_in_git(name):
    """A picture that lies about and was not committed is a broken picture to everybody else."""
    folder = (ROOT / name).parent
    targets = [link.partition("#")[0] for link in LINK.findall(read(name)) if "://" not in link]
    files = [(folder / one).resolve() for one in targets if one and (folder / one).is_file()]
    assert [one.name for one in files if str(one.relative_to(ROOT)) not in FILES] == []


def test_make_targets_exist():
    there = set(TARGET.findall(read("Makefile")))
    named = {
        target
        for name in DOCUMENTS
        for line in commands(read(name))
        for words in MAKE.findall(line)
        for target in words.split()
    }
    assert {"up", "test", "demo"} <= named
    assert named - there == set()


def test_every_make_target_is_explained():
    """`make help` is the table of contents: a target without a line there is hidden."""
    makefile = read("Makefile")
    explained = set(re.findall(r"^([a-z]+):.*## \S", makefile, re.MULTILINE))
    assert set(TARGET.findall(makefile)) == explained


def test_every_decision_is_listed_and_short():
    folder = ROOT / "docs" / "decisions"
    decisions = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    listed = LINK.findall(read("docs/decisions/README.md"))
    assert [path.name for path in decisions] == listed
    for number, path in enumerate(decisions, start=1):
        lines = path.read_text().splitlines()
        assert path.name.startswith(f"{number:04}-")
        assert lines[0].startswith(f"# {number:04} ")
        assert len(lines) <= 25, path.name
        for part in ("**Context.**", "**Decision.**", "**Consequence.**"):
            assert any(line.startswith(part) for line in lines), (path.name, part)


LOCK = "requirements.lock"
OWN = "tests/unit/docs/test_docs.py"
OTHERS = [name for name in FILES if not name.endswith(".png") and name not in (LOCK, OWN)]


@pytest.mark.parametrize("names", [OTHERS, [LOCK]], ids=["sources", "lock"])
@pytest.mark.parametrize("pattern", [MACHINE_PATH, REGISTRY], ids=["machine path", "registry"])
def test_no_file_tells_where_it_was_made(pattern, names):
    told = [
        f"{name}:{number}: {found[0]}"
        for name in names
        for number, line in enumerate(read(name).splitlines(), start=1)
        if (found := pattern.search(line))
    ]
    assert told == []


@pytest.mark.parametrize(
    ("line", "caught"),
    [
        ("see /tmp/" + "lock.txt", True),
        ("cd /home/" + "ada/src", True),
        ("under /root, say", False),
        ("https://example.com/root/x", False),
        ("$HOME/tmp/x", False),
    ],
)
def test_machine_paths_are_known(line, caught):
    assert bool(MACHINE_PATH.search(line)) == caught


@pytest.mark.parametrize(
    ("line", "caught"),
    [
        ("--index-url " + "https://mirror.example/x", True),
        ("https://files." + "pythonhosted.org/a.whl", True),
        ("https://mirror.example/" + "simple/pip", True),
        ("--no-emit-index-url --no-emit-find-links", False),
        ("https://docs.stripe.com/declines/codes", False),
    ],
)
def test_registry_addresses_are_known(line, caught):
    assert bool(REGISTRY.search(line)) == caught
