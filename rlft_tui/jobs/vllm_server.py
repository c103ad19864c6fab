"""A vLLM server of a run's own: the base model once, and the adapter that is being trained.

vLLM asks for its own versions of torch and transformers, so it is a program in an environment of its
own (``RLFT_VLLM``, else ``vllm`` on the PATH) and is asked over HTTP, through a socket that only this user
can reach. It ends with the job, however that ends.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from rlft_tui.errors import RlftError, UnavailableError
from rlft_tui.runs.machine import VLLM_VARIABLE, vllm_name

START_SECONDS = 900.0
"""For it to load a model and, on a GPU, to compile; it is told dead sooner if its process ends."""
ANSWER_SECONDS = 3600.0
_SET_PDEATHSIG = 1
_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks of adapters that vLLM has room for."""
_PRIVATE = {
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """One answer."""

    tokens: list[int]
    """The end of sequence included, if it was drawn."""
    logprobs: list[float]
    """Of each token, in nats, under the distribution it was drawn from."""
    ended: bool
    """By an end of sequence, not by the length."""


def vllm_program() -> str:
    """The program; UnavailableError with what to do where there is none."""
    name = vllm_name()
    found = shutil.which(name)
    if found is None:
        raise UnavailableError(
            f"no program {name} to draw answers with",
            remedy=f"Install vLLM in an environment of its own and name it in {VLLM_VARIABLE}, or take "
            "rollouts own",
        )
    return found


class VllmServer:
    """Started on entering, ended on leaving."""

    def __init__(
        self,
        model: str,
        *,
        rank: int,
        longest: int,
        dtype: str,
        device: str,
        memory: float,
        log: Path,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """``longest``: tokens of prompt and answer together; ``memory``: its share of a GPU's. Once
        ``stopped``, a server that is still loading is waited for no longer."""
        self.log = log
        self.stopped = stopped
        self._folder = tempfile.TemporaryDirectory(prefix="rlft-vllm-")  # for this user alone
        socket = str(Path(self._folder.name, "socket"))
        self._command = [
            vllm_program(), "serve", model, "--served-model-name", "base", "--uds", socket, "--dtype", dtype,
            "--max-model-len", str(longest), "--enable-lora", "--max-loras", "1",
            "--max-lora-rank", str(next(room for room in _RANKS if room >= rank)),
            # What the model's authors recommend for sampling would be another policy.
            "--generation-config", "vllm", "--logprobs-mode", "processed_logprobs",
        ]  # fmt: skip
        self._environment = {**os.environ, **_PRIVATE}
        if device == "cpu":
            self._command.append("--enforce-eager")
            self._environment.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
        else:
            self._command += ["--gpu-memory-utilization", str(memory)]
        self._process: subprocess.Popen[bytes] | None = None
        transport = httpx.HTTPTransport(uds=socket, limits=httpx.Limits(max_connections=None))
        self._http = httpx.Client(transport=transport, base_url="http://vllm", timeout=ANSWER_SECONDS)

    def __enter__(self) -> Self:
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                preexec_fn=_end_with_parent,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        try:
            while not self._is_ready() and not self.stopped():
                self.require_alive()
                if time.monotonic() > deadline:
                    raise UnavailableError("vLLM was not ready in time", where=str(self.log))
                time.sleep(0.2)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the server; a request that is under way fails."""
        self._http.close()
        if self._process is not None:
            self._signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(20)
            # Its engine and workers outlive a server that was killed.
            self._signal(signal.SIGKILL)
            self._process.wait()
        self._folder.cleanup()

    def require_alive(self) -> None:
        """UnavailableError with its last words when it has ended."""
        if self._process is not None and (code := self._process.poll()) is not None:
            written = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            said = written[-1] if written else "it wrote nothing"
            raise UnavailableError(f"vLLM ended with {code}: {said}", where=str(self.log))

    def load_adapter(self, name: str, folder: Path) -> None:
        self._post("/v1/load_lora_adapter", {"lora_name": name, "lora_path": str(folder)})

    def drop_adapter(self, name: str) -> None:
        self._post("/v1/unload_lora_adapter", {"lora_name": name})

    def draw(
        self, adapter: str, prompt: list[int], *, temperature: float, longest: int, ends: list[int], seed: int
    ) -> Drawn:
        """One answer of the adapter to token ids, from the whole vocabulary; many threads may ask at once."""
        asked = {
            "model": adapter, "prompt": prompt, "max_tokens": longest, "temperature": temperature,
            "top_p": 1.0, "top_k": 0, "min_p": 0.0, "seed": seed, "stop_token_ids": ends,
            "logprobs": 0, "return_token_ids": True,
        }  # fmt: skip
        choice = self._post("/v1/completions", asked).json()["choices"][0]
        tokens = list(choice["token_ids"])
        return Drawn(tokens, list(choice["logprobs"]["token_logprobs"]), choice["finish_reason"] == "stop")

    def _signal(self, number: signal.Signals) -> None:
        """To all processes of the server."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _is_ready(self) -> bool:
        try:
            return self._http.get("/health", timeout=5.0).is_success
        except httpx.TransportError:
            return False

    def _post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        try:
            response = self._http.post(path, json=body)
        except httpx.TransportError as error:
            self.require_alive()
            raise UnavailableError(f"vLLM does not answer: {error}", where=str(self.log)) from error
        if response.is_error:
            raise RlftError(f"vLLM refused {path}: {response.text[:300]}", where=str(self.log))
        return response


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_SET_PDEATHSIG, signal.SIGTERM)
