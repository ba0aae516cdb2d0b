"""One stack: where its data lies, its ports, its secrets and its environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from tinko_pipelines.local import postgres, secrets
from tinko_pipelines.local.environment import child_environment, stack_environment
from tinko_pipelines.local.layout import ROOT, Layout, default_layout
from tinko_pipelines.local.ports import Ports
from tinko_pipelines.local.secrets import Secrets


@dataclass
class Stack:
    """What every part is told. `environment` is a child's whole environment; what is not `durable`
    outlives any kill, and no power cut."""

    layout: Layout
    ports: Ports
    secrets: Secrets
    durable: bool = True

    @cached_property
    def environment(self) -> dict[str, str]:
        return child_environment(stack_environment(self.layout.data, self.ports, self.secrets))

    def superuser_url(self, database: str = "postgres") -> str:
        return postgres.url(self.ports.postgres, "postgres", self.secrets.postgres, database)

    def prepare_folders(self) -> None:
        """Make the data folder and link Dagster's home to the root's dagster.yaml."""
        self.layout.create()
        self.layout.dagster.mkdir(exist_ok=True)
        link, target = self.layout.dagster / "dagster.yaml", ROOT / "dagster.yaml"
        if not link.is_symlink() or link.resolve() != target:
            link.unlink(missing_ok=True)
            link.symlink_to(target)


def open_stack(
    layout: Layout | None = None, environ: Mapping[str, str] | None = None, *, durable: bool = True
) -> Stack:
    """The stack of `layout` (`.tinko/` by default), its secrets made if they are not there yet."""
    chosen = layout or default_layout()
    chosen.create()
    kept = secrets.load_or_create(chosen.secrets)
    return Stack(chosen, Ports.from_environment(environ), kept, durable)
