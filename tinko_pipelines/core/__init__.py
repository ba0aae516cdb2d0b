"""The domain. It knows neither Dagster nor FastAPI; both of them wrap it."""
