"""`make demo`: the whole system on a made-up world, judged by the world's own counts."""

from tinko_pipelines.demo.run import run

__all__ = ["run"]
