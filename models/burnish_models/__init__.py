"""Models that come with Burnish: a zoo of small graphs, and real ones with their data."""

from __future__ import annotations

from burnish_models.catalog import ShippedModel, catalog, path

__all__ = ["ShippedModel", "catalog", "path"]
