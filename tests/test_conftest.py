"""The shared project and its private copies are what the other tests take them for."""

from pathlib import Path

from tests.support import sh


def test_a_fresh_project_is_clean_set_up_and_on_ports_of_its_own(
    fresh_project: Path, project: Path
) -> None:
    assert sh("git", "status", "--porcelain", cwd=fresh_project) == ""
    assert (fresh_project / "uv.lock").read_bytes() == (project / "uv.lock").read_bytes()
    where = "import churn_model; print(churn_model.__file__)"
    found = sh(fresh_project / ".venv/bin/python", "-c", where)
    assert found.strip() == str(fresh_project / "src/churn_model/__init__.py")
    answers = ".copier-answers.yml"
    assert (fresh_project / answers).read_text() != (project / answers).read_text()
