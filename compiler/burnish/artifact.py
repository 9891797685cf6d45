"""What a compile leaves behind: a folder with the built files and a manifest that explains them.

::

    out/
      model.onnx            the built model (with model.onnx.data beside it when it is big)
      manifest.json         see :class:`Manifest`
      passes/003-name.diff  what a pass changed, for each pass that changed something
      history.json          the source's lines, and what every pass took away and brought
      timings.json          wall times: the only file that differs between two equal compiles

The folder appears whole or not at all. Until it does, whatever was there stays there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from burnish.backend import Built, Runner
from burnish.errors import BuildError, InputError
from burnish.registry import backend
from burnish.target import parse_target
from burnish.version import VERSION

__all__ = [
    "HISTORY",
    "MANIFEST",
    "SCHEMA",
    "TIMINGS",
    "Artifact",
    "Manifest",
    "check_destination",
    "check_not_source",
    "check_single_file",
    "file_digest",
    "make_folder",
    "replacing_folder",
    "versions",
    "write_artifact",
]

HISTORY = "history.json"
MANIFEST = "manifest.json"
TIMINGS = "timings.json"
SCHEMA = 1
"""Version of the manifest's layout; grows when a key changes its meaning or goes."""
_LIBRARIES = ("numpy", "onnx", "onnx-ir", "onnxruntime")


@dataclass(frozen=True)
class Manifest:
    """Everything known about an artifact, as plain JSON values.

    Attributes:
        source: what was compiled: ``name``, ``sha256``, and ``external`` (digest by file name).
        target: the target as users write it.
        pipeline: the pipeline text that was run.
        options: what else was asked for: ``allow``, ``dims``, ``input_shapes``, ``stop_after``.
        versions: of Burnish, Python and the libraries that took part.
        before: figures of the source.
        after: figures of the result.
        passes: one record for each pass run; ``file`` names its diff when it changed something,
            ``rewrites`` is how many changes it made.
        verdict: the answer of ``verify``, or None when it was not asked.
        settings: what a caller must set to run the model as it was built.
        files: sha256 by name of each built file; the first is the one to load.
        provenance: the source nodes that each node made by a pass came from; a node that is not
            listed is a node of the source.
        audit: what the runtime executes, where the model is quantized; else None.
        schema: version of this layout.
    """

    source: Mapping[str, Any]
    target: str
    pipeline: str
    options: Mapping[str, Any]
    versions: Mapping[str, str]
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    passes: Sequence[Mapping[str, Any]]
    verdict: Mapping[str, Any] | None
    settings: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, Sequence[str]] = field(default_factory=dict)
    audit: Mapping[str, Any] | None = None
    schema: int = SCHEMA

    def json(self) -> dict[str, Any]:
        """As a JSON-ready mapping, ``schema`` first."""
        fields = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return {"schema": fields.pop("schema"), **fields}

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read ``manifest.json``.

        Raises:
            InputError: when there is none, or it is not one this version can read.
        """
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            mend = "name a folder that burnish compile wrote"
            raise InputError("there is no manifest here", where=str(path), mend=mend) from None
        except (OSError, ValueError) as error:
            raise InputError(
                f"the manifest cannot be read ({error})", where=str(path), mend="compile again"
            ) from None
        if not isinstance(held, dict) or held.get("schema") != SCHEMA:
            raise InputError(
                f"this is not a manifest of schema {SCHEMA}",
                where=str(path),
                mend="compile again with this version",
            )
        known = {item.name for item in dataclasses.fields(cls)}
        try:
            return cls(**{key: value for key, value in held.items() if key in known})
        except TypeError as error:
            raise InputError(f"the manifest is incomplete ({error})", where=str(path)) from None


@dataclass(frozen=True)
class Artifact:
    """A compiled model on disk.

    Attributes:
        path: the artifact's folder; the model file itself when only that was asked for.
        manifest: what is known about it.
    """

    path: Path
    manifest: Manifest = field(repr=False)  # it fills screens

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Artifact:
        """The artifact in a folder.

        Raises:
            InputError: when the folder holds none.
        """
        return cls(Path(path), Manifest.read(Path(path) / MANIFEST))

    @property
    def model(self) -> Path:
        """The file a runtime loads."""
        return self.path / next(iter(self.manifest.files)) if self.path.is_dir() else self.path

    def load(self) -> Runner:
        """A function that runs the model: arrays by input name to arrays by output name.

        Raises:
            MissingDependency: when the target's runtime is not installed.
            ExecutionError: when the runtime refuses the model.
        """
        target = parse_target(self.manifest.target)
        return backend(target.backend).load(self.model, target)


def versions() -> dict[str, str]:
    """Versions of Burnish, Python and the libraries whose versions can change a result."""
    found = {"burnish": VERSION, "python": platform.python_version()}
    for library in _LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[library] = importlib.metadata.version(library)
    return found


def file_digest(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_artifact(
    path: Path,
    manifest: Manifest,
    *,
    build: Callable[[Path], Built],
    texts: Mapping[str, str],
    seconds: Mapping[str, Any],
) -> Artifact:
    """Build into a new folder, explain it, and put it in place.

    Args:
        path: from :func:`check_destination`.
        manifest: all but ``files`` and ``settings``, which come from the backend.
        build: writes the model's files into a folder.
        texts: diffs and history, by name relative to the folder.
        seconds: contents of ``timings.json``.

    Raises:
        BuildError: when the backend refuses the model, or the folder cannot be written.
    """
    with replacing_folder(path) as folder:
        built = build(folder)
        files = {file.relative_to(folder).as_posix(): file_digest(file) for file in built.files}
        audit = None if built.audit is None else built.audit.json()
        manifest = dataclasses.replace(manifest, files=files, settings=built.settings, audit=audit)
        try:
            for name, text in texts.items():
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_text(text, encoding="utf-8")
            _write_json(folder / TIMINGS, seconds)
            _write_json(folder / MANIFEST, manifest.json())
        except OSError as error:
            raise BuildError(
                f"the records cannot be written ({error.strerror or error})",
                where=str(path),
                mend="check the free space",
            ) from error
    return Artifact(path, manifest)


def _write_json(path: Path, held: Mapping[str, Any]) -> None:
    """Write JSON for people and tools: indented, UTF-8, keys in the order given."""
    text = json.dumps(held, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def check_destination(
    out: str | os.PathLike[str],
    *,
    ours: Callable[[Path], set[str]] | None = None,
    writer: str = "burnish compile",
) -> Path:
    """The folder an artifact may be written to, links resolved.

    Args:
        out: the folder.
        ours: the names of what may be replaced in a folder that is there; by default those of an
            artifact.
        writer: the command that writes such folders.

    Raises:
        InputError: when something is there that is not an artifact of ours, or no folder can be
            written there.
    """
    path = Path(out).resolve()
    if path.exists() and not path.is_dir():
        mend = "name a folder, or a file that ends in .onnx for the model alone"
        raise InputError("this is a file, not a folder", where=str(out), mend=mend)
    if Path.cwd().is_relative_to(path):
        raise InputError(
            "the current folder cannot be replaced", where=str(out), mend="name a folder inside it"
        )
    _check_parent(path)
    other = _other_thing(path, ours or _artifact_names) if path.is_dir() else None
    if other is not None:
        mend = f"name an empty or new folder, or one that {writer} wrote"
        what = f"the folder holds other things, such as {other}"
        raise InputError(what, where=str(out), mend=mend)
    return path


def check_single_file(out: str | os.PathLike[str]) -> Path:
    """The file a model alone may be written to.

    Raises:
        InputError: when a folder is there, or no file can be written there.
    """
    path = Path(out)
    if path.is_dir():
        mend = "name a file in it, or a folder that does not end in .onnx"
        raise InputError("this is a folder, not a file", where=str(out), mend=mend)
    _check_parent(path)
    return path


def _check_parent(path: Path) -> None:
    """Refuse a place whose folder is not there and cannot be made, or cannot be written."""
    nearest = next(folder for folder in path.absolute().parents if os.path.lexists(folder))
    if not nearest.is_dir():
        mend = "name another place"
        raise InputError(f"{nearest} is not a folder", where=str(path), mend=mend)
    if not os.access(nearest, os.W_OK | os.X_OK):
        mend = "check its permissions, or name another place"
        raise InputError(f"the folder {nearest} cannot be written", where=str(path), mend=mend)


def check_not_source(written: Sequence[Path], sources: Iterable[str | os.PathLike[str]]) -> None:
    """Refuse to write over what is compiled.

    Args:
        written: the artifact's folder, or the files for the model alone.
        sources: the files of the model: itself, and its weights.

    Raises:
        InputError: when something written is one of ``sources``, or a folder that holds one.
    """
    there = [path for path in written if path.exists()]
    for source in map(Path, sources):
        # A folder is replaced with all that lies in it, so the folders of the source count too.
        around = [source, source.resolve(), *source.resolve().parents] if source.exists() else []
        for path in there:
            if any(path.samefile(item) for item in around):
                mend = "name another file"
                raise InputError("that is the model itself", where=str(path), mend=mend)


def _other_thing(folder: Path, ours: Callable[[Path], set[str]]) -> str | None:
    """The name of something in ``folder`` that is not one of ours; None if all is."""
    found, known = sorted(item.name for item in folder.iterdir()), ours(folder)
    return next((name for name in found if name not in known), None)


def _artifact_names(folder: Path) -> set[str]:
    """What lies in an artifact; nothing when ``folder`` is none that Burnish wrote."""
    try:
        held = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        ours = {
            HISTORY,
            MANIFEST,
            TIMINGS,
            "passes",
            *(Path(name).parts[0] for name in held["files"]),
        }
        known = isinstance(held["schema"], int) and "burnish" in held["versions"]
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return set()
    return ours if known else set()


@contextlib.contextmanager
def replacing_folder(
    path: Path, check: Callable[[Path], object] = check_destination
) -> Iterator[Path]:
    """An empty folder beside ``path`` that takes its place when the block ends well.

    When it does not, by an error or an interrupt, ``path`` is as it was. ``check`` raises when what
    is at ``path`` by then may not be replaced.

    Raises:
        BuildError: when the folder cannot be made or moved.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}.part")
    aside = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        _new_folder(fresh)
        yield fresh
        check(path)
        _exchange(fresh, path, aside)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        if path.exists():  # else what is aside is all there is
            shutil.rmtree(aside, ignore_errors=True)


def _new_folder(path: Path) -> None:
    make_folder(path.parent)
    shutil.rmtree(path, ignore_errors=True)
    make_folder(path)


def make_folder(path: Path) -> None:
    """Make a folder, and those it is in, unless it is there.

    Raises:
        BuildError: when it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BuildError(
            f"the folder cannot be written ({error.strerror or error})",
            where=str(path.parent),
            mend="check its permissions and the free space",
        ) from error


def _exchange(fresh: Path, path: Path, aside: Path) -> None:
    """Put ``fresh`` where ``path`` is; on any failure put back what was there."""
    had = path.exists()
    try:
        if had:
            path.rename(aside)
        fresh.rename(path)
    except BaseException as error:
        if had and aside.exists() and not path.exists():
            aside.rename(path)
        if isinstance(error, OSError):
            raise BuildError(
                f"the folder cannot be put in place ({error.strerror or error})",
                where=str(path),
                mend="check the permissions of the folder it is in",
            ) from error
        raise
