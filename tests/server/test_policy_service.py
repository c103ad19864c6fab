"""The policy service as another program sees it: curl over TCP with the token, a real server, a tiny model.

The guide's own lines are what is run, in its order, and everything else is asked of the same server.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from rlft_tui.client.connection import connect
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.config import create_workspace
from rlft_tui.labels.feedback import Feedback
from rlft_tui.models.model import Model
from rlft_tui.models.policy_versions import TrainingResults
from rlft_tui.paths import Workspace
from rlft_tui.server.remote_access import RemoteToken
from tests.conftest import stop_server
from tests.tiny_model import make_tiny_model

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "policy-service.md"
SECRETS = {
    name: f"secret-{name.lower()}-7f3a9"
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "HF_TOKEN", "WANDB_API_KEY")
}
"""In the server's environment, and so in its jobs'."""
SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Service:
    """A server that other machines reach."""

    workspace: Workspace
    client: WorkspaceClient
    url: str
    token: str

    def ask(self, method: str, path: str, body: Any = None, token: str | None = None) -> httpx.Response:
        return httpx.request(
            method,
            self.url + path,
            json=body,
            headers={"Authorization": f"Bearer {self.token if token is None else token}"},
            trust_env=False,
            timeout=SECONDS,
        )

    def shell(self, block: str) -> str:
        """What a block of the guide prints."""
        done = subprocess.run(
            ["bash", "-eu", "-c", block],
            env={**os.environ, "URL": self.url, "TOKEN": self.token},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
        return done.stdout


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    root = tmp_path_factory.mktemp("service")
    workspace = create_workspace(root / "workspace")
    workspace.settings.write_text(
        'labeler = "ada"\nidle_minutes = 5.0\ndaily_backups = 0\nround_pairs = 0\n'
        'threads = 1\ndefault_model = "tiny"\n'
    )
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="rlft-") as runtime:
        patch.setenv("XDG_RUNTIME_DIR", runtime)
        patch.setenv("HOME", str(root))
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("LOG_LEVEL", "debug")
        for name, secret in SECRETS.items():
            patch.setenv(name, secret)
        with connect(workspace) as client:
            client.add_model(Model("tiny", "base", str(make_tiny_model(root / "tiny"))))
            state = client.serve_remote("127.0.0.1", 0)
            yield Service(workspace, client, state.url, RemoteToken(workspace).text())
        stop_server(workspace)


@dataclass(frozen=True, slots=True)
class PythonExample:
    """The guide's Python, going on in a process of its own."""

    process: subprocess.Popen[str]
    folder: Path


@pytest.fixture(scope="module")
def python_example(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PythonExample]:
    """Started before the curl lines, so that both trainings go on at once."""
    (example,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    tiny = service.workspace.root.parent / "tiny"
    for printed, short in (
        ('base_model="smollm2-135m"', f'base_model="{tiny}", threads=1, max_new_tokens=8'),
        ("max_steps=50", "max_steps=2"),
        ('"num_epochs": 5', '"num_epochs": 1'),
    ):
        assert printed in example
        example = example.replace(printed, short)
    example += "assert again == result\nimport sys\nassert 'torch' not in sys.modules\n"
    folder = tmp_path_factory.mktemp("python")
    process = subprocess.Popen(
        [sys.executable, "-c", example],
        cwd=folder,
        # Where this package lies, installed or not.
        env={**os.environ, "PYTHONPATH": str(GUIDE.parents[2]), "LOG_LEVEL": "info"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield PythonExample(process, folder)
    if process.poll() is None:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def printed(service: Service, python_example: PythonExample) -> list[tuple[str, str]]:
    """Every block of the guide with curl in it, and what it printed; the training is among them."""
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return [(block, service.shell(block)) for block in blocks if "curl" in block]


def answers(printed: list[tuple[str, str]], part: str) -> list[Any]:
    """What the blocks with this in them answered, each a JSON object."""
    found = [text for block, text in printed if part in block]
    assert found, part
    decoder = json.JSONDecoder()
    values = []
    for text in found:
        at = 0
        while at < len(text.rstrip()):
            value, at = decoder.raw_decode(text, at)
            values.append(value)
    return values


@pytest.mark.timeout(900)
def test_scores_are_counted_and_what_would_be_trained_is_told(printed: list[tuple[str, str]]) -> None:
    stored = answers(printed, "/api/policies/feedback/nurse")
    assert [one["feedbackCount"] for one in stored] == list(range(1, 13))
    assert (stored[0]["status"], stored[0]["guide"], stored[1]["guide"]) == (
        "stored",
        "excellent",
        "mediocre",
    )
    (dry,) = answers(printed, "dryRun")
    assert set(dry) == {
        "status",
        "feedbackCount",
        "estimatedSteps",
        "estimatedTimeMinutes",
        "scoreMean",
        "scoreStd",
        "modelConfig",
    }
    assert (dry["status"], dry["feedbackCount"], dry["estimatedSteps"]) == ("dry_run", 12, 100)
    assert dry["modelConfig"] == {"base_model": "tiny", "use_lora": True, "learning_rate": 1e-5}
    assert dry["estimatedTimeMinutes"] > 0
    scores = [0.9, 0.6, 0.7, 0.5, 0.4, 0.6, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
    assert dry["scoreMean"] == pytest.approx(sum(scores) / 12)


def test_a_training_answers_with_the_version_that_it_made(
    printed: list[tuple[str, str]], service: Service
) -> None:
    (made,) = answers(printed, '"maxSteps": 2, "batchSize": 4')
    assert set(made) == {
        "status",
        "policyId",
        "version",
        "modelPath",
        "rewardModelPath",
        "feedbackCount",
        "trainingSteps",
        "rewardMean",
        "rewardStd",
    }
    assert (made["status"], made["version"], made["policyId"]) == ("trained", "v12", "nurse-v12")
    assert (made["feedbackCount"], made["trainingSteps"]) == (12, 2)
    assert made["rewardMean"] is not None
    assert made["rewardStd"] is not None
    folder = service.workspace.models / "nurse" / "v12"
    assert made["modelPath"] == str(folder / "policy")
    assert {path.name for path in folder.iterdir()} == {
        "policy",
        "reward_model",
        "training_results.json",
        "training.log",
    }
    assert {path.name for path in (folder / "reward_model").iterdir()} == {
        "base_model",
        "reward_head",
        "config.json",
    }
    assert (folder / "training.log").read_text().count("finished after") == 2
    results = TrainingResults.load(folder)
    assert (results.final_reward_mean, results.training_steps) == (made["rewardMean"], 2)
    # The whole chain is ordinary runs and registered models.
    runs = {run.method: run for run in service.client.runs() if run.id.startswith("nurse-")}
    assert {method: run.status for method, run in runs.items()} == {"reward": "finished", "ppo": "finished"}
    assert (runs["reward"].ended or 0) <= (runs["ppo"].started or 0)
    models = {model.name: model.kind for model in service.client.models()}
    assert (models["nurse-v12"], models[runs["reward"].id]) == ("base", "reward")


def test_versions_are_listed_with_their_metrics(printed: list[tuple[str, str]]) -> None:
    (listed,) = answers(printed, '"$URL/api/policies/nurse"')
    assert [one["version"] for one in listed] == ["v12"]
    (made,) = answers(printed, '"maxSteps": 2, "batchSize": 4')
    assert listed[0]["metrics"]["rewardMean"] == made["rewardMean"]
    assert listed[0]["metrics"]["kl/sequence"] is not None
    assert answers(printed, "newcomer") == [
        {"detail": "Insufficient feedback: 0 samples (minimum 10 required)"}
    ]


def test_a_score_given_to_what_a_version_wrote_counts_for_its_policy(
    printed: list[tuple[str, str]], service: Service
) -> None:
    one = Feedback("of-v12", "Describe a cook.", "A cook.", 0.8, "score", "ada", model="nurse-v12")
    service.client.add_feedback(one)
    service.client.add_feedback(Feedback("other", "Say.", "No.", 0.1, "score", "ada", model="nurse"))
    dry = service.ask("POST", "/api/policies/train_policy/nurse", {"dryRun": True}).json()
    assert dry["feedbackCount"] == 13


def test_too_few_scores_train_nothing_and_leave_nothing(service: Service) -> None:
    for number in range(5):
        given = {"prompt": f"Say {number}.", "response": "No.", "score": 0.5}
        assert service.ask("POST", "/api/policies/feedback/young", given).status_code == 200
    runs = len(service.client.runs())
    for body in ({"maxSteps": 2}, {"dryRun": True}):
        refused = service.ask("POST", "/api/policies/train_policy/young", body)
        assert refused.status_code == 400
        assert refused.json() == {"detail": "Insufficient feedback: 5 samples (minimum 10 required)"}
    assert len(service.client.runs()) == runs
    assert service.ask("GET", "/api/policies/young").json() == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"maxStep": 2}, "no setting called 'max_step'. Did you mean max_steps?"),
        ({"maxSteps": 0}, "max_steps: Input should be greater than or equal to 1"),
        ({"learningRate": "fast"}, "learning_rate: Input should be a valid number"),
        ({"preset": "quik"}, "no preset called 'quik'. Did you mean quick?"),
        ({"rewards": ["length"]}, "no setting called 'rewards'"),
        ({"loraDropout": 0.2}, "PPO has to be trained without dropout"),
        ({"trackers": ["wandb"]}, "trackers is not set from another machine"),
        ({"baseModel": "/etc"}, "no model called '/etc'"),
        ({"baseModel": "../../../etc"}, "From another machine a model is named as in GET /api/v1/models"),
        ({"baseModel": "a\x00b"}, "no model called"),
        ([], "valid dictionary"),
    ],
)
def test_a_setting_that_is_none_is_refused_before_anything_is_stored(
    service: Service, printed: list[tuple[str, str]], body: Any, said: str
) -> None:
    before = len(service.client.runs()), len(service.client.datasets())
    refused = service.ask("POST", "/api/policies/train_policy/nurse", body)
    assert refused.status_code in (400, 404)
    assert list(refused.json()) == ["detail"]
    assert said in refused.json()["detail"]
    assert (len(service.client.runs()), len(service.client.datasets())) == before


PATHS = [
    "/api/policies/..",
    "/api/policies/../../etc/passwd",
    "/api/policies/%2e%2e",
    "/api/policies/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "/api/policies/%2fetc%2fpasswd",
    "/api/policies//etc/passwd",
    "/api/policies/a%00b",
    "/api/policies/nurse%0d%0aX: 1",
    "/api/policies/" + "n" * 5000,
    "/api/policies/.hidden",
    "/api/policies/nurse/v12",
    "/api/v1/../api/policies/nurse",
    "/api/v1/runs/..%2f..%2fetc",
    "/api/v1/runs/%2e%2e/spec",
    "/api/v1/datasets/%2e%2e",
    "/docs/../etc/passwd",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_leads_elsewhere_gets_a_4xx(service: Service, path: str) -> None:
    for method in ("GET", "POST"):
        arguments = ["-s", "-o", "/dev/null", "-w", "%{http_code}", "--path-as-is", "-g", "-X", method]
        headers = ["-H", f"Authorization: Bearer {service.token}", "-d", "{}"]
        line = shlex.join(["curl", *arguments, *headers, service.url + path.replace(" ", "%20")])
        assert service.shell(line).startswith("4"), (method, path)


@pytest.mark.parametrize("token", ["wrong", "x" * 43, "Bearer"])
def test_a_wrong_token_gets_a_401_everywhere(service: Service, token: str) -> None:
    for method, path in (
        ("POST", "/api/policies/feedback/nurse"),
        ("POST", "/api/policies/train_policy/nurse"),
        ("GET", "/api/policies/nurse"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
    ):
        assert service.ask(method, path, {}, token).status_code == 401, path


def test_the_guides_python_makes_a_version_that_plain_transformers_loads(
    python_example: PythonExample,
) -> None:
    printed, errors = python_example.process.communicate(timeout=SECONDS)
    assert python_example.process.returncode == 0, errors
    version = python_example.folder / "models" / "nurse" / "v1"
    result = TrainingResults.load(version)
    assert (result.training_steps, result.feedback_count, result.version) == (2, 12, "v1")
    assert result.model_path == str(version / "policy")
    assert printed == (
        f"{result.model_path} {result.final_reward_mean} {result.final_reward_std} {result.training_steps}\n"
    )
    assert "nurse: 12 scores" in errors
    assert {path.name for path in version.parent.iterdir()} == {"v1"}
    assert {path.name for path in (version / "reward_model").iterdir()} == {
        "base_model",
        "reward_head",
        "config.json",
    }
    assert (version / "training.log").read_text().count("finished after") == 2

    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(result.model_path)("Hello", return_tensors="pt")
    policy = AutoModelForCausalLM.from_pretrained(result.model_path)
    assert policy.generate(**tokens, max_new_tokens=2).shape[0] == 1


def test_secrets_stand_in_no_log_run_folder_or_database(
    printed: list[tuple[str, str]], service: Service
) -> None:
    service.ask("GET", f"/api/policies/nurse?token={service.token[:8]}")
    looked_at = [path for path in service.workspace.root.rglob("*") if path.is_file()]
    assert len(looked_at) > 50
    assert "server.log" in {path.name for path in looked_at}
    secrets = [*SECRETS.values(), service.token]
    for path in looked_at:
        if path == RemoteToken(service.workspace).path:
            continue
        content = path.read_bytes()
        assert not [secret for secret in secrets if secret.encode() in content], path
