"""``ideogram_generate`` and bulk runs, against the twin over a real socket."""

from __future__ import annotations

import io
import json
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from ideogram_django.management.progress import Progress
from ideogram_django.models import (
    Charge,
    GeneratedImage,
    ProfileVersion,
    PromptProfile,
    Run,
    SpendingLimit,
)
from ideogram_django.simulator import Simulator
from ideogram_django.statuses import RunPause, Status
from tests.drain import configured, drain, drain_until, make_due, twin

__all__ = ["twin"]

FIVE = [f"Harbour {number}" for number in range(1, 6)]


def generate(*arguments: str) -> str:
    out = io.StringIO()
    call_command("ideogram_generate", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def ended(code: int, *arguments: str) -> str:
    """Everything that the command says when it ends with this code."""
    out = io.StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("ideogram_generate", *arguments, stdout=out, stderr=out)
    assert caught.value.returncode == code
    return f"{out.getvalue()}{caught.value}"


def ledger() -> Decimal:
    return sum((one.charged or Decimal(0) for one in Charge.objects.all()), Decimal(0))


def test_prompts_become_a_run_that_is_worked_on_while_waiting(twin: Simulator) -> None:
    out = generate(*FIVE, "--run", "Harbours", "--at-once", "2", "--yes", "--wait")
    run = Run.objects.get()
    assert (run.name, run.state, run.at_once) == ("Harbours", Run.State.FINISHED, 2)
    assert out.startswith("5 pictures · $0.15.\n")
    assert f"Run {run.uuid}." in out
    assert "5 of 5 done · $0.15" in out
    assert "5 pictures made, 0 failed, 0 in progress, 0 not made. Charged $0.15." in out
    assert ledger() == run.report().charged == Decimal("0.15")
    assert [len(one.renditions) for one in run.images.all()] == [2] * 5


def test_without_waiting_it_goes_on_with_the_next_worker(twin: Simulator) -> None:
    out = generate(*FIVE, "--run", "Harbours", "--yes")
    run = Run.objects.get()
    assert run.state == Run.State.RUNNING
    assert "No worker listens now." in out
    drain_until(lambda: Run.objects.filter(state=Run.State.FINISHED).exists())
    out = generate("--report", str(run.uuid))
    assert "finished." in out
    assert "5 pictures made" in out


def test_at_its_ceiling_it_says_how_to_go_on_and_goes_on(twin: Simulator) -> None:
    out = ended(4, *FIVE, "--run", "Harbours", "--ceiling", "0.07", "--yes", "--wait")
    run = Run.objects.get()
    assert out.startswith("5 pictures · $0.07.\n")
    assert (run.state, run.pause) == (Run.State.PAUSED, RunPause.CEILING)
    assert "It has come to its ceiling." in out
    assert f"3 still to come. Go on: manage.py ideogram_generate --resume {run.uuid}" in out
    assert ledger() == Decimal("0.06")

    out = generate("--resume", str(run.uuid), "--ceiling", "0.15", "--yes", "--wait")
    assert out.startswith("3 pictures · $0.09.\n")
    run.refresh_from_db()
    assert run.state == Run.State.FINISHED
    assert ledger() == run.report().charged == Decimal("0.15")


def test_ctrl_c_pauses_the_run_and_says_how_to_go_on(
    twin: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick = Progress.tick

    def press(progress: Progress) -> None:
        tick(progress)
        if Run.objects.get().images.completed().count() >= 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "tick", press)
    out = ended(130, *FIVE, "--run", "Harbours", "--at-once", "1", "--yes", "--wait")
    run = Run.objects.get()
    assert (run.state, run.pause) == (Run.State.PAUSED, RunPause.PERSON)
    assert f"--resume {run.uuid}" in out
    assert f"--stop {run.uuid}" in out
    assert run.report().waiting >= 1

    monkeypatch.undo()
    make_due()
    GeneratedImage.objects.update(lease_until=None)
    generate("--resume", str(run.uuid), "--yes", "--wait")
    run.refresh_from_db()
    assert run.state == Run.State.FINISHED
    assert len(twin.ledger) == 5


def test_pause_and_stop_from_the_command_line(twin: Simulator) -> None:
    generate(*FIVE, "--run", "Harbours", "--at-once", "2", "--yes")
    run = Run.objects.get()
    assert "paused." in generate("--pause", str(run.uuid))
    assert "by now" in ended(1, "--pause", str(run.uuid))
    out = generate("--stop", str(run.uuid))
    assert "stopped." in out
    assert "0 pictures made, 0 failed, 0 in progress, 5 not made. Charged $0.00." in out
    assert "This run is “Stopped” by now." in ended(1, "--resume", str(run.uuid), "--yes")
    assert twin.ledger == []


def test_failures_are_told_by_kind_and_by_the_exit_code(twin: Simulator) -> None:
    prompts = ["Harbour", "A [fail]", "B [fail]", "C [policy]"]
    out = ended(3, *prompts, "--run", "Harbours", "--yes", "--wait")
    assert "1 picture made, 3 failed" in out
    assert "  2 × The provider could not make this picture." in out
    assert "  1 × The provider's rules do not allow this picture." in out
    assert "3 pictures could not be made; see above." in out
    assert "Charged $0.03." in out
    assert ledger() == Decimal("0.03")


def test_the_time_is_over(twin: Simulator) -> None:
    out = ended(4, "A [forever]", "--run", "One", "--yes", "--wait", "--timeout", "0.1")
    assert "1 still to come." in out
    assert Run.objects.get().state == Run.State.RUNNING


def test_a_limit_pauses_it(twin: Simulator, django_user_model: Any) -> None:
    user = django_user_model.objects.create_user("ada")
    SpendingLimit.objects.create(user=user, amount="0.06")
    out = ended(4, *FIVE, "--run", "Harbours", "--user", "ada", "--yes", "--wait")
    assert "A spending limit is used up." in out
    assert Run.objects.get().requested_by == user
    assert ledger() == Decimal("0.06")


def test_the_same_request_id_is_one_run(twin: Simulator) -> None:
    arguments = [*FIVE, "--run", "Harbours", "--request-id", str(uuid.uuid4()), "--yes"]
    generate(*arguments)
    out = generate(*arguments, "--wait")
    assert "nothing is spent again" in out
    assert Run.objects.count() == 1
    assert len(twin.ledger) == 5


def test_a_run_that_was_prepared_and_never_started_is_started(twin: Simulator) -> None:
    """The command was killed between the two, and is given again."""
    known = uuid.uuid4()
    Run.objects.prepare([{"prompt": one} for one in FIVE], name="Harbours", run_id=known)
    out = generate(*FIVE, "--run", "Harbours", "--request-id", str(known), "--yes", "--wait")
    assert "5 pictures · $0.15." in out
    assert "5 pictures made" in out
    assert (Run.objects.count(), len(twin.ledger)) == (1, 5)


def test_files_and_json(twin: Simulator, tmp_path: Path) -> None:
    path = tmp_path / "harbours.csv"
    path.write_text("prompt,count\nA harbour,2\nA market,1\n")
    out, err = io.StringIO(), io.StringIO()
    folder = tmp_path / "out"
    call_command(
        *("ideogram_generate", "--csv", str(path), "--run", "Harbours", "--ceiling", "1"),
        *("--yes", "--wait", "--out", str(folder), "--json"),
        stdout=out,
        stderr=err,
    )
    told = json.loads(out.getvalue())
    run = Run.objects.get()
    assert run.source == "harbours.csv"
    assert (
        told["run"].items()
        >= {
            "uuid": str(run.uuid),
            "name": "Harbours",
            "state": "finished",
            "pause": "",
            "count": 3,
            "completed": 3,
            "failed": 0,
            "in_progress": 0,
            "not_made": 0,
            "to_come": "0",
            "reserved": "0",
            "charged": "0.09",
            "ceiling": "1",
            "currency": "USD",
        }.items()
    )
    assert told["run"]["by_error"] == {}
    assert len(list(folder.iterdir())) == 3
    assert {Path(one["copy"]).parent for one in told["images"]} == {folder}
    assert "3 pictures · $0.09." in err.getvalue()


def test_a_profile_for_all_prompts(twin: Simulator) -> None:
    profile = PromptProfile.objects.create(name="season")
    ProfileVersion.objects.create(profile=profile, number=1, suffix="Linocut.")
    generate("A harbour", "--profile", "season", "--yes")
    assert GeneratedImage.objects.get().prompt == "A harbour Linocut."
    assert "There is no prompt profile “sesaon”" in ended(1, "A", "--profile", "sesaon", "--yes")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["A", "--resume", str(uuid.uuid4())], "Give either prompts or --csv FILE"),
        (["--resume", str(uuid.uuid4())], "There is no run"),
        (["A", "--ceiling", "3"], "--ceiling needs --run or --resume"),
        (["A", "--at-once", "3"], "--at-once needs --run"),
        (["--run", "X", "--stop", str(uuid.uuid4())], "--run is for a new run"),
        (["A", "--run", "X", "--ceiling", "much"], "'much' is no amount of money"),
        (["A", "--run", "X", "--ceiling", "-1"], "is no amount of money"),
        (["A", "--run", "X" * 201, "--yes"], "at most 200 characters"),
        (["A", "--run", "X", "--at-once", "-1", "--yes"], "greater than or equal to"),
        (["--pause", str(uuid.uuid4()), "--stop", str(uuid.uuid4())], "not allowed with"),
    ],
)
def test_wrong_arguments_are_told_in_a_sentence(
    twin: Simulator, arguments: list[str], sentence: str
) -> None:
    assert sentence in ended(1, *arguments)
    assert Run.objects.count() == Charge.objects.count() == 0


# --- the bar ------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return True

    def write(self, text: str, ending: str = "\n") -> int:
        return super().write(f"{text}{ending}")


def test_a_terminal_sees_a_bar_as_wide_as_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    out = Terminal()
    looks = iter([(5, 10, "5 of 10 done"), (10, 10, "10 of 10 done")])
    progress = Progress(out, lambda: next(looks))
    progress.show()
    assert out.getvalue() == f"\r{'█' * 15}{'░' * 15}  5 of 10 done"
    monkeypatch.setenv("COLUMNS", "28")
    progress.show()
    progress.end()
    second = out.getvalue().split("\r")[2]
    assert second.rstrip() == f"{'█' * 12}  10 of 10 done"
    assert second.endswith("\n")


@pytest.mark.parametrize(
    ("encoding", "columns", "line"),
    [("ascii", "40", "#" * 12 + "-" * 13 + "  5 of 10 done"), ("utf-8", "12", "5 of 10 don")],
)
def test_a_poor_terminal_sees_what_it_can_show(
    monkeypatch: pytest.MonkeyPatch, encoding: str, columns: str, line: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    out = Terminal(encoding)
    Progress(out, lambda: (5, 10, "5 of 10 done")).show()
    assert out.getvalue() == f"\r{line}"


def test_a_log_gets_a_line_for_every_twentieth() -> None:
    out = io.StringIO()
    plain = type("Out", (), {"isatty": lambda self: False, "flush": lambda self: None})()
    plain.write = lambda text, ending="\n": out.write(text + ending)
    done = iter(range(101))
    progress = Progress(plain, lambda: ((d := next(done)), 100, f"{d} of 100 done"))
    for _look in range(101):
        progress.show()
    lines = out.getvalue().splitlines()
    assert lines[0] == "0 of 100 done"
    assert lines[1] == "5 of 100 done"
    assert lines[-1] == "100 of 100 done"
    assert len(lines) == 21


def test_the_command_tells_while_it_works(twin: Simulator, settings: Any) -> None:
    """Within one slice of the drain, not only between two."""
    with configured(settings, DRAIN_SLICE=30):
        out = generate(*FIVE, "--run", "Harbours", "--at-once", "5", "--yes", "--wait")
    assert "0 of 5 done · 5 in progress" in out
    drain()
    assert GeneratedImage.objects.filter(status=Status.COMPLETED).count() == 5
