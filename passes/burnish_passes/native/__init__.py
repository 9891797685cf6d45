"""Rewrites to operators of one runtime, for files that only it will run."""
