"""Everyday sessions: ``nox -s test types lint docs bench``.

Each makes its own environment; ``nox --no-venv`` (or ``NOX_DEFAULT_VENV_BACKEND=none``) runs in
the current one. Arguments after ``--`` go to the tool.
"""

from __future__ import annotations

import nox

nox.options.sessions = ["lint", "types", "docs", "test"]
nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True


def install(session: nox.Session, *extras: str) -> None:
    """Install Burnish and its development tools, unless the session has no environment."""
    if session.virtualenv.is_sandboxed:
        session.install("--upgrade", "pip>=25.1")
        session.install("-e", ".[ort]", "--group", "dev", *extras)


@nox.session
def test(session: nox.Session) -> None:
    """Run the tests."""
    install(session)
    session.run("pytest", *session.posargs)


@nox.session
def types(session: nox.Session) -> None:
    """Check the types."""
    install(session)
    session.run("mypy", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting and the import contracts."""
    install(session)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports")


@nox.session
def docs(session: nox.Session) -> None:
    """Check that links in the documentation lead somewhere."""
    install(session)
    session.run("pytest", "tests/docs", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Compare with OnnxSlim and onnxsim on speed, nodes and memory."""
    install(session, "onnxslim", "onnxsim")
    session.run("python", "benchmarks/optimize.py", *session.posargs)
