"""The sessions that people and CI run; there is no other entry point to the checks.

Owns which interpreters are tried, what each session installs, and the proof that what ships works: the
``wheel`` session installs the built wheel into an empty environment and runs the quickstart there, then an
adapter whose package is installed apart.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import nox

SUPPORTED = ("3.11", "3.12", "3.13")
QUICKSTART = ("run", "reference", "ably-guide")
INSTALLED_APART = (
    ("adapter", "install", "ably"),
    ("run", "ably", "ably-hardened", "reference", "--scenario", "first_response_wins", "--examples", "5"),
)
"""The vendor's SDK, in an environment that the harness builds and starts a worker in."""

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["tests", "lint", "types", "wheel"]

ENVS = Path(__file__).resolve().parent / ".hitl" / "envs"
PROJECT = nox.project.load_toml("pyproject.toml")


def _works(python: str) -> bool:
    """Return whether a command really starts an interpreter; a version manager's shim may not."""
    found = shutil.which(python)
    if found is None:
        return False
    command = [found, "-c", ""]
    try:
        done = subprocess.run(command, check=False, capture_output=True, timeout=60)  # noqa: S603 - fixed text
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _pyenv_folders(version: str) -> Iterator[Path]:
    """Yield where pyenv keeps interpreters of ``version``, the newest first, whether active or not."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    installed = (root / "versions").glob(f"{version}.*/bin")
    by_patch = {path.parent.name.rpartition(".")[2]: path for path in installed}
    yield from (by_patch[patch] for patch in sorted(filter(str.isdigit, by_patch), key=int, reverse=True))


def _interpreters() -> list[str]:
    """Return the supported versions present here, the running one always among them."""
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    present = []
    for version in SUPPORTED:
        if version == running or _works(f"python{version}"):
            present.append(version)
            continue
        folder = next(_pyenv_folders(version), None)
        if folder is not None:
            os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"
            present.append(version)
    return present if running in present else [*present, running]


def _group(name: str) -> list[str]:
    """Return the requirements of one dependency group of pyproject.toml."""
    return list(nox.project.dependency_groups(PROJECT, name))


INTERPRETERS = _interpreters()


@nox.session(python=INTERPRETERS)
def tests(session: nox.Session) -> None:
    """Run the test suite, benchmarks apart; what follows ``--`` goes to pytest.

    What the built-in adapters wrap is installed once into .hitl/envs and used by every interpreter. Tests
    marked ``once``, which take minutes to try a browser or Node more than Python, run on the oldest of the
    interpreters that are here, unless a part of the suite is asked for.
    """
    session.install(".[ably,bench]", *_group("test"))
    session.run("hitl", "adapter", "install", "--all", env={"HITL_ENVS": str(ENVS)})
    others = () if session.posargs or session.python == INTERPRETERS[0] else ("-m", "not once")
    session.run(
        "pytest", "-n", "auto", "--benchmark-disable", "--ignore=tests/bench", *others, *session.posargs
    )


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting with ruff."""
    session.install(*_group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types with mypy in strict mode, tests included."""
    session.install(".[ably,bench]", *_group("types"))
    session.run("mypy")


@nox.session
def selftest(session: nox.Session) -> None:
    """Prove in the short form that the installed harness finds bugs, and nothing where nothing is wrong."""
    session.install(".")
    session.run("hitl", "selftest", *(session.posargs or ("--short",)))


@nox.session
def bench(session: nox.Session) -> None:
    """Run the benchmarks and print what they measured, side by side within their groups."""
    session.install(".[ably,bench]", *_group("test"))
    session.run(
        "pytest",
        "tests/bench",
        "--benchmark-only",
        "--benchmark-columns=min,median,mean,stddev,ops,rounds",
        "--benchmark-group-by=group",
        "--benchmark-sort=name",
        "-s",
        *session.posargs,
    )


@nox.session
def fuzz(session: nox.Session) -> None:
    """Fuzz the protocol server at length: ten thousand conversations instead of the suite's few."""
    session.install(".[ably,bench]", *_group("test"))
    session.run(
        "pytest",
        "tests/ably/test_protocol_fuzz.py",
        *session.posargs,
        env={"HITL_FUZZ_EXAMPLES": "10000"},
    )


@nox.session
def wheel(session: nox.Session) -> None:
    """Build wheel and sdist, check their contents, and run the quickstart from an empty environment."""
    session.install("build")
    dist = Path(session.create_tmp()).resolve() / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(dist), ".")
    (built,) = dist.glob("*.whl")
    members = zipfile.ZipFile(built).namelist()
    tops = sorted({name.partition("/")[0] for name in members if ".dist-info/" not in name})
    session.log("%d files in %s, top-level names: %s", len(members), built.name, ", ".join(tops))
    if tops != ["harness"]:
        session.error(f"the wheel installs {tops}: one top-level name, harness, is due")
    session.run("python", "-m", "venv", "--clear", str(dist / "empty"), silent=True)
    scripts = dist / "empty" / ("Scripts" if os.name == "nt" else "bin")
    session.run(str(scripts / "python"), "-m", "pip", "install", "--quiet", str(built), external=True)
    elsewhere = dist / "elsewhere"
    elsewhere.mkdir()
    with session.chdir(elsewhere):
        for words in (QUICKSTART, *INSTALLED_APART):
            session.run(str(scripts / "hitl"), *words, external=True)
