"""dbt in this process: parse once, then build on the parsed manifest.

`dbt` as a command costs seconds of imports and parsing each time. The runner keeps both, so a
build costs its queries.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinko_pipelines.core.analytics.clickhouse import ClickHouseAddress
from tinko_pipelines.core.analytics.errors import DbtFailed, Node

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

PROJECT = Path(__file__).resolve().parents[3] / "dbt_project"
# where dbt's pages lie, by themselves
DOCS = PROJECT / "target" / "docs"
_SOURCES = ("*.sql", "*.yml", "*.md")
# dbt keeps its adapter, flags and logger in globals: one invocation at a time in a process
_one_at_a_time = threading.Lock()


@dataclass
class DbtProject:
    """The project in `folder`, on the ClickHouse at `address`; `target` holds what dbt writes."""

    address: ClickHouseAddress
    folder: Path = PROJECT
    target: Path | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)  # instead of dbt_project.yml's
    _manifest: Manifest | None = field(default=None, repr=False)

    @property
    def manifest_path(self) -> Path:
        return (self.target or self.folder / "target") / "manifest.json"

    def prepare(self) -> Path:
        """Parse the project (partially where it was parsed before) and write its manifest.

        Needs no ClickHouse. Raises DbtFailed when a model, test or document is malformed.
        """
        self._manifest = self._invoke(["parse"], manifest=None, write=True).result
        return self.manifest_path

    def _parsed(self) -> Manifest:
        """The manifest in memory; its file is left alone, another process may be reading it."""
        if self._manifest is None:
            self._manifest = self._invoke(["parse"], manifest=None).result
        return self._manifest

    def ensure_manifest(self) -> Path:
        """The manifest's path; the project is parsed first where a file of it is newer."""
        written = self.manifest_path.stat().st_mtime if self.manifest_path.exists() else 0.0
        if any(file.stat().st_mtime > written for file in self._sources()):
            self.prepare()
        return self.manifest_path

    def definitions(self) -> str:
        """A digest of what the project says, its words included: another where anything changed."""
        known = hashlib.sha256()
        for file in sorted(self._sources()):
            known.update(f"{file.relative_to(self.folder)}\0".encode() + file.read_bytes() + b"\0")
        return known.hexdigest()

    def _sources(self) -> Iterator[Path]:
        files = (file for pattern in _SOURCES for file in self.folder.rglob(pattern))
        return (file for file in files if (self.folder / "target") not in file.parents)

    def build(self, select: str | None = None, *, tests: bool = True) -> list[Node]:
        """Build and test `select` (dbt's syntax; None is everything), models before their tests.

        Raises DbtFailed, which names each node that failed and holds all; what was built stays.
        """
        # a test runs where all that it reads is built or was
        arguments = ["build", "--indirect-selection", "buildable"]
        arguments += ["--select", select] if select else []
        arguments += [] if tests else ["--exclude-resource-type", "test"]
        result = self._invoke(arguments, manifest=self._parsed())
        return [_node(item) for item in result.result.results]

    def document(self) -> Path:
        """dbt's own pages about every model and column, with the lineage; their index.html.

        Needs ClickHouse, for the types of what is built. Raises DbtFailed.
        """
        self._invoke(["docs", "generate", "--static"], manifest=None, write=True)
        page = self.manifest_path.parent / DOCS.name / "index.html"
        page.parent.mkdir(exist_ok=True)
        return Path(shutil.move(self.manifest_path.with_name("static_index.html"), page))

    def freshness(self) -> list[Node]:
        """Ask each source when it was last carried. Raises DbtFailed for one that is too old."""
        result = self._invoke(["source", "freshness"], manifest=self._parsed())
        nodes = (_node(item) for item in result.result.results)
        return [node for node in nodes if node.kind == "source"]

    def _invoke(
        self, arguments: Sequence[str], manifest: Manifest | None, *, write: bool = False
    ) -> Any:
        # dbt takes seconds to import: only who runs it pays
        from dbt.cli.main import dbtRunner  # noqa: PLC0415

        folders = ["--project-dir", str(self.folder), "--profiles-dir", str(self.folder)]
        if self.target is not None:
            folders += ["--target-path", str(self.target), "--log-path", str(self.target)]
        if self.variables:
            folders += ["--vars", json.dumps(self.variables)]
        quiet = ["--quiet", "--no-use-colors", "--log-level-file", "none", "--no-version-check"]
        quiet += [] if write else ["--no-write-json"]
        with _one_at_a_time, _environment(self.address.dbt_env()):
            result = dbtRunner(manifest=manifest).invoke([*quiet, *arguments, *folders])
        if not result.success:
            nodes = [_node(item) for item in getattr(result.result, "results", [])]
            raise DbtFailed(_why(result.exception, nodes), nodes)
        return result


def build(select: str | None = None, *, tests: bool = True) -> list[Node]:
    """Build the project on CLICKHOUSE_URL; the parsed manifest is kept for this process's next."""
    return _default().build(select, tests=tests)


def freshness() -> list[Node]:
    """When each source on CLICKHOUSE_URL was last carried. Raises DbtFailed for one too old."""
    return _default().freshness()


def document() -> Path:
    """dbt's pages about the project on CLICKHOUSE_URL, as one file of HTML."""
    return _default().document()


def definitions() -> str:
    """A digest of what the project on CLICKHOUSE_URL says."""
    return _default().definitions()


def prepare() -> Path:
    """Parse the project so that Dagster can load its assets; returns the manifest's path."""
    return _default().prepare()


def ensure_manifest() -> Path:
    """The manifest for Dagster to load; parsed first where it is missing or out of date."""
    return _default().ensure_manifest()


_projects: dict[ClickHouseAddress, DbtProject] = {}


def _default() -> DbtProject:
    address = ClickHouseAddress.from_settings()
    return _projects.setdefault(address, DbtProject(address))


def _node(item: Any) -> Node:
    return Node(
        unique_id=item.node.unique_id,
        name=item.node.name,
        kind=str(item.node.resource_type),
        status=str(item.status),
        message=item.message or "",
        seconds=float(item.execution_time),
    )


def _why(exception: BaseException | None, nodes: Sequence[Node]) -> str:
    """One line per failed node, or the exception that kept dbt from running."""
    if exception is not None:
        return str(exception)
    failed = [node for node in nodes if node.failed]
    return "; ".join(f"{node.name}: {node.status} {node.message}" for node in failed)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set `values` for the block: dbt's profile reads nothing but the environment."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
