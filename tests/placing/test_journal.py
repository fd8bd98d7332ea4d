"""What a killed or failed change leaves, and what somebody does to it, is put right by name."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kills import look, trial
from tests.support import ANSWERS_FILE, IDENTITY, Done, commit, run, sh, template, write
from tests.trials import text
from tests.warm import KILL, Trap, cli, warm

OLD = {"a.txt": text("a"), "b.txt": text("b"), "gone.txt": text("gone"), "z.txt": text("z")}
NEW = {name: content + "theirs\n" for name, content in OLD.items() if name != "gone.txt"}
NEW |= {"new/n.txt": "theirs\n"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A template of two versions, which adds, changes and deletes."""
    made = template(tmp_path / "template", {"copier.yml": "size: 3\n", **ANSWERS_FILE, **OLD})
    (made / "gone.txt").unlink()
    commit(made, NEW, tag="v2.0.0")
    return made


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "tmp").mkdir()  # where the killed leave their scratch files
    places = {"MLOPS_SCAFFOLD_CACHE": str(tmp_path / "cache"), "TMPDIR": str(tmp_path / "tmp")}
    return IDENTITY | places


def new(source: Path, folder: Path, env: dict[str, str], *options: str) -> Path:
    argv = ("--template", source, "--ref", "v1.0.0", "--defaults", "--no-setup")
    done = cli("new", folder, *argv, *options, env=env)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def project(source: Path, tmp_path: Path, env: dict[str, str]) -> Path:
    return new(source, tmp_path / "churn-model", env)


def update(project: Path, env: dict[str, str]) -> Done:
    return cli("update", project, "--defaults", env=env)


def killed(project: Path, env: dict[str, str], *, before: str) -> Path:
    """Have an update killed before the first step that concerns a path, after it was decided."""
    code, _ = warm(("update", str(project), "--defaults"), env, Trap(KILL, str(project), before))
    assert code == -9
    assert (project / ".git/mlops-scaffold/pending").is_dir()
    return project


def test_what_somebody_changed_after_the_kill_is_kept_and_named(
    project: Path, env: dict[str, str]
) -> None:
    killed(project, env, before="b.txt")
    assert list(project.glob(".mlops-scaffold-*"))
    assert (project / "a.txt").read_text() == NEW["a.txt"]
    mine = {"a.txt": "mine: a\n", "b.txt": "mine: b\n", "new/n.txt": "mine: n\n"}
    write(project, mine)
    done = cli("status", project, env=env)
    assert done.returncode == 0
    assert "the update to v2.0.0 was interrupted; it is complete now" in done.stderr
    for name, content in mine.items():
        assert f"{name} was changed meanwhile, so it stays as you left it" in done.stderr
        assert (project / name).read_text() == content
    assert (project / "z.txt").read_text() == NEW["z.txt"]
    assert not list(project.glob(".mlops-scaffold-*"))
    changed = sh("git", "diff", "--name-only", cwd=project).split()
    assert changed == sorted(mine)  # the index has the update, and Git tells the two apart
    undone = cli("undo", project, env=env)
    assert undone.returncode == 1
    assert all(name in undone.stderr for name in mine)


def test_what_somebody_deleted_or_staged_after_the_kill_stays_so(
    project: Path, env: dict[str, str]
) -> None:
    killed(project, env, before="b.txt")
    (project / "b.txt").unlink()
    write(project, {"z.txt": "mine: z\n"})
    sh("git", "add", "z.txt", cwd=project)
    said = cli("diff", project, env=env).stderr
    assert "b.txt was changed meanwhile" in said and "z.txt was changed meanwhile" in said
    assert not (project / "b.txt").exists()
    assert sh("git", "show", ":z.txt", cwd=project) == "mine: z\n"


def test_a_folder_put_in_the_way_after_the_kill_is_named_until_it_is_moved(
    project: Path, env: dict[str, str]
) -> None:
    killed(project, env, before="b.txt")
    write(project, {"new/n.txt/mine.txt": "mine: n\n"})
    for _ in range(2):
        done = cli("status", project, env=env)
        assert done.returncode == 1
        assert "new/n.txt cannot be written: something is in its way" in done.stderr
    (project / "new/n.txt").rename(project / "mine")
    assert cli("status", project, env=env).returncode == 0
    assert (project / "new/n.txt").read_text() == "theirs\n"
    assert (project / "mine/mine.txt").read_text() == "mine: n\n"


def test_a_link_put_in_the_way_after_the_kill_is_not_followed(
    project: Path, env: dict[str, str], tmp_path: Path
) -> None:
    killed(project, env, before="b.txt")
    (tmp_path / "elsewhere").mkdir()
    (project / "new").symlink_to(tmp_path / "elsewhere")
    assert cli("status", project, env=env).returncode == 1
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_journal_that_cannot_be_read_is_named(project: Path, env: dict[str, str]) -> None:
    killed(project, env, before="b.txt")
    journal = project / ".git/mlops-scaffold/pending/journal.json"
    journal.write_text("{")
    for verb in ("status", "diff", "update", "undo"):
        done = cli(verb, project, env=env)
        assert done.returncode == 1
        assert f"the journal in {journal.parent} cannot be read" in done.stderr
        assert done.stderr.count("\n") == 2


def test_after_a_killed_update_doctor_names_the_next_command(
    project: Path, env: dict[str, str]
) -> None:
    before = look(killed(project, env, before="b.txt"))
    assert "stopped half-way" in cli("doctor", project, env=env).stdout
    assert look(project) == before


def test_the_update_of_one_project_is_completed_by_a_command_for_its_neighbour(
    source: Path, tmp_path: Path, env: dict[str, str]
) -> None:
    company = tmp_path / "company"
    for name in ("one", "two"):
        new(source, company / "services" / name, env, "--no-git")
    write(company, {"services/two/a.txt": "mine: another a\n"})
    commit(company)
    update_one = ("update", "{}/services/one", "--defaults")
    tried = trial(company, update_one, env, [("status", "{}/services/two")])
    tried.refresh()
    trap = Trap(KILL, str(tried.repository), "services/one/b.txt")
    assert warm(tried.argv, env, trap)[0] == -9
    done = cli(*tried.nexts[0], env=env)
    assert "the update to v2.0.0 in services/one/ was interrupted; it is complete" in done.stderr
    assert look(tried.repository) == tried.new
    assert cli("undo", tried.repository / "services/two", env=env).returncode == 1
    assert cli("undo", tried.repository / "services/one", env=env).returncode == 0
    assert look(tried.repository) == tried.old


def test_a_project_far_down_in_its_repository_is_updated_and_undone(
    source: Path, tmp_path: Path, env: dict[str, str]
) -> None:
    company, deep = tmp_path / "company", Path("s", "ü b" * 60, "[x]*" * 50, "c" * 100)
    commit(new(source, company / deep, env, "--no-git") and company)
    tried = trial(company, ("update", f"{{}}/{deep}", "--defaults"), env, [])
    assert cli("undo", tried.repository / deep, env=env).returncode == 0
    assert look(tried.repository) == tried.old


def test_the_settings_of_a_large_repository_do_no_harm(project: Path, env: dict[str, str]) -> None:
    for name, value in {"splitIndex": "true", "untrackedCache": "true", "sparse": "false"}.items():
        sh("git", "config", f"core.{name}", value, cwd=project)
    sh("git", "update-index", "--split-index", "--untracked-cache", cwd=project)
    old = look(project)
    assert update(project, env).returncode == 0
    assert sh("git", "status", "--porcelain", cwd=project).count("\n") == 6
    assert sh("git", "diff", "--name-only", cwd=project) == ""
    assert cli("undo", project, env=env).returncode == 0
    assert look(project) == old
    assert sh("git", "status", "--porcelain", cwd=project) == ""


def test_the_lock_of_a_git_at_work_is_respected_also_by_the_repair(
    project: Path, env: dict[str, str]
) -> None:
    killed(project, env, before="b.txt")
    lock = project / ".git/index.lock"
    lock.touch()
    done = cli("status", project, env=env)
    assert done.returncode == 1
    assert f"{lock} exists" in done.stderr
    assert lock.exists()
    lock.unlink()
    assert cli("status", project, env=env).returncode == 0
    lock.touch()
    new_state = look(project)
    done = cli("undo", project, env=env)
    assert (done.returncode, look(project)) == (1, new_state)
    assert f"{lock} exists" in done.stderr


def test_a_project_on_another_file_system_than_its_repository(
    project: Path, env: dict[str, str], disk: Path
) -> None:
    linked = disk / "linked"
    sh("git", "worktree", "add", "-q", "-b", "topic", linked, cwd=project)
    before, main = look_at(linked), look(project)
    code, _ = warm(("update", str(linked), "--defaults"), env, Trap(KILL, str(linked), "b.txt"))
    assert code == -9
    done = cli("status", linked, env=env)
    assert "it is complete now" in done.stderr
    assert (linked / "b.txt").read_text() == NEW["b.txt"]
    assert look(project) == main
    assert cli("undo", linked, env=env).returncode == 0
    assert look_at(linked) == before


def look_at(worktree: Path) -> tuple[dict[str, str], str]:
    files = {str(p): p.read_text() for p in worktree.rglob("*") if p.is_file()}
    return files, sh("git", "ls-files", "-s", cwd=worktree)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder)
    if mounted.returncode:
        pytest.skip(f"no right to mount a small disk: {mounted.stderr.strip()}")
    yield folder
    sh("umount", folder)


@pytest.fixture
def large(tmp_path: Path, disk: Path, env: dict[str, str]) -> Path:
    """A project on the small disk: its update needs some 300 kB for Git, the journal, the files."""
    names = [f"f{number}.txt" for number in range(3)]
    source = template(
        tmp_path / "source",
        {"copier.yml": "size: 3\n", **ANSWERS_FILE} | dict.fromkeys(names, "small\n"),
    )
    commit(source, {name: os.urandom(50_000).hex() for name in names}, tag="v2.0.0")
    return new(source, disk / "churn-model", env)


@pytest.mark.parametrize("room", [4, 120, 260, 480, 600])
def test_a_disk_that_fills_up_changes_nothing_and_room_is_all_it_needs(
    large: Path, disk: Path, env: dict[str, str], room: int
) -> None:
    before, free = look(large), shutil.disk_usage(disk).free
    filler = disk / "filler"
    filler.write_bytes(b"x" * (free - room * 1024))
    done = update(large, env)
    refused(done)
    filler.unlink()
    assert (look(large), left_over(large)) == (before, [])
    assert sh("git", "status", "--porcelain", cwd=large) == ""
    assert update(large, env).returncode == 0


@pytest.mark.parametrize("full", ["TMPDIR", "MLOPS_SCAFFOLD_CACHE"])
def test_a_full_disk_elsewhere_changes_nothing(
    project: Path, env: dict[str, str], disk: Path, full: str
) -> None:
    before = look(project)
    (disk / "filler").write_bytes(b"x" * (shutil.disk_usage(disk).free - 8192))
    done = update(project, env | {full: str(disk)})
    refused(done)
    assert (look(project), left_over(project)) == (before, [])
    assert update(project, env).returncode == 0


def refused(done: Done) -> None:
    """It failed with one line of cause and one of remedy, under whatever it said before."""
    *_, cause, remedy = done.stderr.splitlines()
    assert done.returncode == 1
    print(cause, remedy)
    assert cause.startswith("error: ")
    assert remedy.startswith("   try: ")
    assert "Traceback" not in done.stderr and "internal error" not in done.stderr


def left_over(project: Path) -> list[str]:
    ours = [path.name for path in (project / ".git/mlops-scaffold").iterdir()]
    return [name for name in ours if name not in ("lock", "undo", "sources")]


def test_a_git_folder_that_cannot_be_written_is_said_so(project: Path, env: dict[str, str]) -> None:
    before, folder = look(project), project / ".git"
    if run("mount", "--bind", folder, folder).returncode:
        pytest.skip("no right to mount, and for root no folder is read-only")
    try:
        sh("mount", "-o", "remount,ro,bind", folder)
        done = update(project, env)
    finally:
        sh("umount", folder)
    refused(done)
    assert "Read-only file system" in done.stderr
    assert look(project) == before
