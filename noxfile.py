"""Everything that is tested before a release: ``nox``, or ``nox -s lint``, ``nox -l`` for a list.

The PostgreSQL sessions want TEST_POSTGRES_HOST (a host or the folder of a socket), and where they
differ from the defaults TEST_POSTGRES_PORT, _USER, _PASSWORD and _NAME.
"""

import os

import nox

nox.options.sessions = ["tests", "lint", "docs"]
nox.options.error_on_missing_interpreters = True
nox.options.default_venv_backend = "virtualenv"  # pip knows the site's package index, uv may not

NEWEST_RQ = "rq>=3,<4"
MATRIX = [
    nox.param("3.11", "5.2", NEWEST_RQ, id="django5.2"),
    nox.param("3.12", "6.0", NEWEST_RQ, id="django6.0"),
    nox.param("3.13", "6.1", NEWEST_RQ, id="django6.1"),
    nox.param("3.12", "6.0", "rq~=2.12.0", id="rq2.12"),
]


@nox.session
@nox.parametrize("python,django,rq", MATRIX)
def tests(session: nox.Session, django: str, rq: str) -> None:
    """The test suite on SQLite."""
    session.install("-e", ".[test]", f"django~={django}.0", rq)
    run_tests(session)


@nox.session
@nox.parametrize("python,django,rq", MATRIX[:3])
def postgres(session: nox.Session, django: str, rq: str) -> None:
    """The test suite on PostgreSQL, and files in a bucket."""
    if not os.environ.get("TEST_POSTGRES_HOST"):
        session.error("Set TEST_POSTGRES_HOST to a server, or to the folder of its socket.")
    session.install("-e", ".[test,postgres,s3]", f"django~={django}.0", rq)
    run_tests(session)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, types, the import contract, and migrations that nobody has made yet."""
    session.install("-e", ".[lint]")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
    session.run("mypy", "--config-file", "tests/sample_site/mypy.ini")
    session.run("lint-imports")
    check = ("makemigrations", "--check", "--dry-run")
    session.run("python", "-m", "django", *check, env={"DJANGO_SETTINGS_MODULE": "tests.settings"})
    environment = {"IDEOGRAM_API_KEY": "afk_lint", "MAGAZINE_STATE": session.create_tmp()}
    session.run("python", "example_project/manage.py", *check, env=environment)


@nox.session
def docs(session: nox.Session) -> None:
    """docs/ as a site in ``build/docs``: warnings are errors. Links that lead out are listed.

    That every block of it runs is tested with the rest, by ``tests/test_docs.py``.
    """
    session.install("-e", ".[docs]")
    session.run("python", "docs/links.py")
    session.run("sphinx-build", "-W", "--keep-going", "-q", "-E", "docs", "build/docs")


@nox.session
def bench(session: nox.Session) -> None:
    """A short form of the benchmarks, which fails where a ratio is behind its red line.

    Shares the machine with nothing else, or the ratios say little.
    """
    session.install("-e", ".[bench]")
    session.run("python", "-m", "benchmarks", "--short", *session.posargs)


def run_tests(session: nox.Session) -> None:
    session.run("python", "-m", "pytest", *session.posargs)
