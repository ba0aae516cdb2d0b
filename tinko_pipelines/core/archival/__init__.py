"""Archival: closed months leave Postgres for Parquet in S3, verified before they are dropped."""
