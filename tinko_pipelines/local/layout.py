"""Where things lie: the project's root and the folders below `.tinko/`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# the project is installed editable everywhere, so its root is above this package
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Layout:
    """The data folder of one stack (absolute)."""

    data: Path

    @property
    def postgres(self) -> Path:
        return self.data / "postgres"

    @property
    def clickhouse(self) -> Path:
        return self.data / "clickhouse"

    @property
    def s3(self) -> Path:
        return self.data / "s3"

    @property
    def mail(self) -> Path:
        return self.data / "mail"

    @property
    def sandbox(self) -> Path:
        return self.data / "sandbox"

    @property
    def dagster(self) -> Path:
        return self.data / "dagster"

    @property
    def secrets(self) -> Path:
        return self.data / "secrets.json"

    @property
    def run_file(self) -> Path:
        return self.data / "run.json"

    @property
    def lock_file(self) -> Path:
        return self.data / "up.lock"

    def log(self, part: str) -> Path:
        return self.data / "logs" / f"{part}.log"

    def create(self) -> None:
        """Make the data folder: others may pass through (Postgres runs unprivileged), not look."""
        self.data.mkdir(parents=True, exist_ok=True)
        self.data.chmod(0o711)


@contextmanager
def open_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """A temporary folder through which others may pass: Postgres runs unprivileged."""
    with tempfile.TemporaryDirectory(prefix=prefix, dir=parent) as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder


def default_layout() -> Layout:
    """`.tinko/` beside the project, or where TINKO_DATA_DIR says."""
    return Layout(Path(os.environ.get("TINKO_DATA_DIR") or ROOT / ".tinko").resolve())
