"""The supervisor: results registered once, runs found again, folders that vanish."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rlft_tui.config import Settings, create_workspace
from rlft_tui.database.connection import Database, open_database
from rlft_tui.errors import ConflictError, NotFoundError, RlftError
from rlft_tui.models.model import Model
from rlft_tui.models.models_table import add_model, list_models
from rlft_tui.models.policy_versions import read_versions
from rlft_tui.pairs.pairs_table import count_pairs, pairs_page
from rlft_tui.paths import Workspace
from rlft_tui.runs.launcher import launch
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_status import ACTIVE, RunSummary, Series
from rlft_tui.runs.tracker_packages import require_trackers
from rlft_tui.server import curve_cache, followed_run
from rlft_tui.server.supervisor import Supervisor
from tests.conftest import wait_for
from tests.runs.scripted import FINISHING, TRAINING, command, dpo_spec, generate_spec, start_job, wait_for_end

Opener = Callable[[], Supervisor]


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return create_workspace(tmp_path / "workspace")


@pytest.fixture
def database(place: Workspace) -> Iterator[Database]:
    with open_database(place) as opened:
        yield opened


@pytest.fixture
def opened(place: Workspace, database: Database) -> Iterator[Opener]:
    """Opens supervisors, as servers do one after another."""
    made: list[Supervisor] = []

    def start() -> Supervisor:
        made.append(Supervisor(place, Settings(), database))
        made[-1].start()
        return made[-1]

    yield start
    for supervisor in made:
        supervisor.close()


def ended(supervisor: Supervisor, run_id: str) -> RunSummary:
    wait_for(lambda: supervisor.summary(run_id).status not in ACTIVE, f"{run_id} to end")
    return supervisor.summary(run_id)


def series(supervisor: Supervisor, keys: list[str], points: int) -> tuple[Series, ...]:
    return supervisor.with_events("dpo-test", lambda run: run.curves.series(keys, points))


def models(database: Database) -> tuple[Model, ...]:
    with database.reader() as connection:
        return list_models(connection)


def test_a_run_is_finished_only_once_its_model_is_registered(
    place: Workspace, database: Database, opened: Opener
) -> None:
    supervisor = opened()
    folder = start_job(place.runs, FINISHING)
    seen: list[tuple[str, bool]] = []
    while not seen or seen[-1][0] in ACTIVE:
        status = supervisor.summary("dpo-test").status
        seen.append((status, bool(models(database))))
    assert seen[-1] == ("finished", True)
    (model,) = models(database)
    assert (model.name, model.kind, model.base, model.base_path) == ("dpo-test", "adapter", "base", "/base")
    assert (model.path, model.run_id, model.dataset) == (str(folder.model), "dpo-test", "abc")
    assert supervisor.summary("dpo-test").output_model == "dpo-test"


def test_a_result_that_ended_while_no_server_ran_is_registered_once_by_the_next(
    place: Workspace, database: Database, opened: Opener
) -> None:
    wait_for_end(start_job(place.runs, FINISHING))
    for _ in range(2):
        supervisor = opened()
        assert supervisor.summary("dpo-test").status == "finished"
        assert [model.name for model in models(database)] == ["dpo-test"]


def test_the_result_takes_the_name_that_was_asked_for_unless_it_is_taken(
    place: Workspace, database: Database, opened: Opener
) -> None:
    with database.write() as connection:
        add_model(connection, Model("taken", "base", "/elsewhere"))
    start_job(place.runs, FINISHING, "run-1", output_name="polite")
    start_job(place.runs, FINISHING, "run-2", output_name="taken")
    supervisor = opened()
    assert ended(supervisor, "run-1").output_model == "polite"
    assert ended(supervisor, "run-2").output_model == "run-2"


def test_a_finished_run_without_a_model_is_shown_with_an_alert(place: Workspace, opened: Opener) -> None:
    start_job(place.runs, 'start()\nlog.write("end", status="finished")')
    run = ended(opened(), "dpo-test")
    assert (run.status, run.output_model) == ("finished", "")
    assert run.alerts[-1].name == "no model"


PAIRS = """
import json
start(steps=2)
with folder.pairs.open("a") as out:
    for n in (1, 2):
        pair = {"id": f"p{n}", "prompt": f"Q{n}", "response_a": "a", "response_b": "b", "source": "run:g"}
        out.write(json.dumps(pair) + "\\n")
        out.flush()
        while not (folder.root / f"go{n}").exists():
            time.sleep(0.01)
    out.write('{"id": "torn')
log.write("end", status="finished", pairs=str(folder.pairs))
"""


def stored(database: Database) -> int:
    with database.reader() as connection:
        return count_pairs(connection)


def test_pairs_come_into_the_store_while_they_are_made_and_each_once(
    place: Workspace, database: Database, opened: Opener
) -> None:
    supervisor = opened()
    folder = launch(
        place.runs, generate_spec("g"), prompt_rows=[{"id": "1", "prompt": "Q"}], command=command(PAIRS)
    )
    wait_for(lambda: supervisor.summary("g") and stored(database) == 1, "the first pair")
    assert supervisor.summary("g").status == "running"
    (folder.root / "go1").touch()
    (folder.root / "go2").touch()
    assert ended(supervisor, "g").status == "finished"
    assert stored(database) == 2
    folder.result_record.unlink()
    (folder.root / "summary.json").unlink()
    assert opened().summary("g").status == "finished"
    assert stored(database) == 2
    with database.reader() as connection:
        assert [pair.prompt for pair in pairs_page(connection)[1]] == ["Q1", "Q2"]


def test_a_run_that_goes_on_without_a_server_is_found_again_with_its_whole_curve(
    place: Workspace, opened: Opener
) -> None:
    first = opened()
    start_job(place.runs, TRAINING)
    wait_for(lambda: first.summary("dpo-test").step > 3, "steps")
    first.close()
    second = opened()
    assert second.active_runs() == ("dpo-test",)
    before = second.summary("dpo-test").step
    wait_for(lambda: second.summary("dpo-test").step > before, "more steps")
    (curve,) = series(second, ["loss"], 1 << 20)
    assert curve.steps == list(range(1, curve.steps[-1] + 1))


def test_a_kill_is_shown_with_its_signal(place: Workspace, opened: Opener) -> None:
    supervisor = opened()
    folder = start_job(place.runs, TRAINING)
    wait_for(lambda: supervisor.summary("dpo-test").step > 3, "steps")
    attempt = folder.read_attempt()
    assert attempt is not None
    os.kill(attempt.job_pid, signal.SIGKILL)
    run = ended(supervisor, "dpo-test")
    assert (run.status, run.exit and run.exit.signal) == ("killed", "SIGKILL")
    assert supervisor.active_runs() == ()


def test_stop_shows_stopping_then_stopped_with_the_checkpoint(place: Workspace, opened: Opener) -> None:
    supervisor = opened()
    start_job(place.runs, TRAINING)
    wait_for(lambda: supervisor.summary("dpo-test").step > 3, "steps")
    assert supervisor.control.stop("dpo-test").status in ("stopping", "stopped")
    supervisor_again = opened()
    run = ended(supervisor_again, "dpo-test")
    assert run.status == "stopped"
    assert run.checkpoint.startswith("checkpoints/step-")
    assert supervisor.control.stop("dpo-test").status == "stopped"


def test_a_finished_run_is_neither_stopped_nor_resumed(place: Workspace, opened: Opener) -> None:
    supervisor = opened()
    start_job(place.runs, FINISHING)
    ended(supervisor, "dpo-test")
    with pytest.raises(ConflictError, match="it is finished"):
        supervisor.control.stop("dpo-test")
    with pytest.raises(ConflictError, match="has finished"):
        supervisor.control.resume("dpo-test")


def test_a_killed_keeper_loses_nothing_but_the_exit_record(place: Workspace, opened: Opener) -> None:
    supervisor = opened()
    folder = start_job(place.runs, TRAINING)
    wait_for(lambda: supervisor.summary("dpo-test").step > 3, "steps")
    attempt = folder.read_attempt()
    assert attempt is not None
    os.kill(attempt.keeper_pid, signal.SIGKILL)
    assert supervisor.summary("dpo-test").status == "running"
    os.kill(attempt.job_pid, signal.SIGKILL)
    assert ended(supervisor, "dpo-test").status == "lost"


def test_an_ended_run_answers_the_same_from_its_stored_summary(place: Workspace, opened: Opener) -> None:
    start_job(place.runs, FINISHING)
    fresh = ended(opened(), "dpo-test")
    again = opened()
    assert (place.runs / "dpo-test" / "summary.json").exists()
    assert again.summary("dpo-test") == fresh
    (curve,) = series(again, ["loss"], 100)
    assert curve.mean == [2.0, 1.0, 0.0]


def test_a_summary_of_another_log_is_not_believed(place: Workspace, opened: Opener) -> None:
    folder = start_job(place.runs, FINISHING)
    ended(opened(), "dpo-test")
    with folder.events.open("ab") as stream:
        stream.write(b'{"v":1,"t":99.0,"kind":"metrics","step":4,"values":{"loss":-9.0}}\n')
    assert opened().summary("dpo-test").metrics["loss"] == -9.0


def test_curves_of_a_long_ended_run_come_from_a_copy_of_this_very_log(
    place: Workspace, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed_run, "SMALLEST_LOG", 0)
    monkeypatch.setattr(curve_cache, "_PROOF", 8)
    folder = start_job(place.runs, FINISHING)
    first = opened()
    ended(first, "dpo-test")
    curves = series(first, [], 100)
    first.close()
    log, when = folder.events.read_bytes(), folder.events.stat()
    # Only the copy can answer now: the log has the right size, date and ends, but nothing between them.
    folder.events.write_bytes(log[:8] + b"\n" * (len(log) - 16) + log[-8:])
    os.utime(folder.events, ns=(when.st_atime_ns, when.st_mtime_ns))
    assert series(opened(), [], 100) == curves
    folder.events.write_bytes(b"\n" * len(log))
    os.utime(folder.events, ns=(when.st_atime_ns, when.st_mtime_ns))
    assert series(opened(), [], 100) == ()
    folder.events.write_bytes(log + b'{"v":1,"t":99.0,"kind":"metrics","step":4,"values":{"loss":-9.0}}\n')
    changed = opened()
    ended(changed, "dpo-test")
    assert series(changed, ["loss"], 100)[0].mean == [2.0, 1.0, 0.0, -9.0]


def test_a_copy_of_what_was_read_is_made_while_the_server_goes_on(
    place: Workspace, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed_run, "SMALLEST_LOG", 0)
    folder = start_job(place.runs, FINISHING)
    wait_for_end(folder)
    supervisor = opened()
    assert len(series(supervisor, ["loss"], 100)[0].mean) == 3
    copy = folder.curves
    wait_for(copy.exists, "the copy")
    assert supervisor.with_events("dpo-test", lambda run: run.unkept) is None


def test_deleting_a_run_takes_its_folder_and_its_model(
    place: Workspace, database: Database, opened: Opener
) -> None:
    supervisor = opened()
    start_job(place.runs, FINISHING)
    ended(supervisor, "dpo-test")
    supervisor.delete("dpo-test")
    assert list(place.runs.iterdir()) == []
    assert models(database) == ()
    assert supervisor.summaries() == ()
    with pytest.raises(NotFoundError):
        supervisor.summary("dpo-test")


def test_folders_that_vanish_or_hold_no_run_disturb_nobody(place: Workspace, opened: Opener) -> None:
    supervisor = opened()
    start_job(place.runs, FINISHING, "good")
    folder = start_job(place.runs, FINISHING, "gone")
    wait_for_end(folder)
    assert len(supervisor.summaries()) == 2
    shutil.rmtree(folder.root)
    (place.runs / "empty").mkdir()
    (place.runs / "broken").mkdir()
    (place.runs / "broken" / "run.toml").write_text("method = [")
    assert [run.id for run in supervisor.summaries()] == ["good"]
    with pytest.raises(RlftError, match="not valid TOML"):
        supervisor.summary("broken")
    with pytest.raises(NotFoundError, match="no run 'goood'") as missing:
        supervisor.folder("goood")
    assert "good" in missing.value.remedy


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"method": "dpo", "model": "smollm2-135m", "dataset": "latest"},
            "smollm2-135m is not on this machine",
        ),
        ({"method": "dpo", "model": "org/model", "dataset": "latest"}, "org/model is not on this machine"),
        ({"method": "dpo", "model": "known", "dataset": "latest"}, "no data set yet"),
        ({"method": "dpo", "model": "knwon", "dataset": "latest"}, "Did you mean known"),
        ({"method": "generate", "model_a": "known", "model_b": "known"}, "no prompts to answer"),
        (
            {"method": "generate", "model_a": "known", "model_b": "known", "prompt_rows": [{}]},
            "prompt_rows.0",
        ),
        ({"method": "mystery"}, "method"),
    ],
)
def test_a_launch_that_cannot_work_is_refused_in_one_line_and_leaves_nothing(
    place: Workspace,
    database: Database,
    opened: Opener,
    tmp_path: Path,
    values: dict[str, object],
    message: str,
) -> None:
    with database.write() as connection:
        add_model(connection, Model("known", "base", str(tmp_path)))
    with pytest.raises(RlftError) as refused:
        opened().launch({"id": "x", **values})
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert list(place.runs.iterdir()) == []


def test_result_records_are_json(place: Workspace, opened: Opener) -> None:
    folder = start_job(place.runs, FINISHING)
    ended(opened(), "dpo-test")
    assert json.loads(RunFolder(folder.root).result_record.read_text()) == {"model": "dpo-test"}


def test_events_with_half_a_surrogate_pair_are_shown(place: Workspace, opened: Opener) -> None:
    body = """
start()
log.metrics(1, {"loss": 1.0}, {"loss": "nats\\udce9"})
log.write("error", type="OSError", message="no such file: caf\\udce9", traceback="")
sys.exit(3)
"""
    folder = start_job(place.runs, body)
    wait_for_end(folder)
    for supervisor in (opened(), opened()):
        summary = supervisor.summary(folder.id)
        assert summary.status == "failed"
        assert "no such file: caf" in summary.error


GARBLED = [b"", b"\xa8\xff\x00", b"[1", b"[]", b'{"number": "one"}', b"a = " + b"[" * 5000, b'{"code": []}']


@pytest.mark.parametrize("name", ["run.toml", "attempt.json", "exit.json", "summary.json", "result.json"])
def test_a_run_whose_files_are_garbled_hides_no_other_run_and_keeps_no_server_from_starting(
    place: Workspace, opened: Opener, name: str
) -> None:
    good = start_job(place.runs, FINISHING)
    wait_for_end(good)
    assert ended(opened(), good.id).status == "finished"
    for number, content in enumerate(GARBLED):
        bad = place.runs / f"dpo-bad-{number}"
        shutil.copytree(good.root, bad)
        (bad / name).write_bytes(content)
    (place.runs / "a-file").write_text("x")
    (place.runs / "dpo-link").symlink_to("/")
    listed = {summary.id: summary.status for summary in opened().summaries()}
    assert listed[good.id] == "finished"
    if name == "run.toml":
        assert set(listed) == {good.id}
        with pytest.raises(RlftError):
            opened().summary("dpo-bad-1")


def test_a_run_that_names_a_policy_makes_a_version_of_it(
    place: Workspace, database: Database, opened: Opener, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "train.jsonl").write_text("{}\n" * 12)
    (data / "heldout.jsonl").write_text("{}\n" * 3)
    body = """
start(steps=3)
log.metrics(3, {"reward": 0.75, "reward_std": 0.1})
for name in ("model", "policy"):
    (folder.root / name).mkdir()
    (folder.root / name / "config.json").write_text("{}")
log.write("end", status="finished", model=str(folder.model))
"""
    launch(place.runs, dpo_spec("run-1", policy="nurse"), dataset=data, command=command(body))
    supervisor = opened()
    ended(supervisor, "run-1")
    (version,) = read_versions(place.models, "nurse")
    assert (version.version, version.feedback_count, version.training_steps) == ("v15", 15, 3)
    assert (version.final_reward_mean, version.final_reward_std) == (0.75, 0.1)
    assert {model.name: model.path for model in models(database)} == {
        "run-1": str(place.runs / "run-1" / "model"),
        "nurse-v15": str(place.models / "nurse" / "v15" / "policy"),
    }


def test_a_tracker_that_is_not_installed_is_named_before_anything_is_made() -> None:
    require_trackers(("tensorboard",))
    with pytest.raises(RlftError, match="the tracker no_such_tracker is not installed") as refused:
        require_trackers(("no_such_tracker",))
    assert "rlft_tui[trackers]" in refused.value.remedy
