"""Answers drawn by vLLM, whose probabilities are the policy's but for rounding.

What it gives for each token is kept with the answer: learning weighs the token by how likely the policy
itself was to draw it (see ``importance_weights``).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlft_tui.errors import UnavailableError
from rlft_tui.jobs.decoding import derived_seed, end_ids
from rlft_tui.jobs.method import Setup
from rlft_tui.jobs.ppo.adapters import POLICY
from rlft_tui.jobs.ppo.answers import Answer
from rlft_tui.jobs.ppo.policy import Policy
from rlft_tui.jobs.ppo.rollout import Never, Rollout
from rlft_tui.runs.specs.ppo import PpoSpec

if TYPE_CHECKING:
    from rlft_tui.jobs.vllm_server import Drawn, VllmServer

LOG = "vllm.log"
"""In the run's folder: what the server prints."""
LOOK_SECONDS = 0.5
"""Between two looks whether the run is to stop, or the server has ended."""


@contextmanager
def rollouts(setup: Setup[Any], policy: Policy, *, longest: int) -> Iterator[Rollout | VllmRollout]:
    """What draws a run's answers, as its spec has it; ``longest``: tokens of the longest prompt."""
    spec: PpoSpec = setup.spec
    settings: dict[str, Any] = {
        "max_new_tokens": spec.max_new_tokens,
        "rows": spec.generation_batch_size,
        "seed": spec.seed,
    }
    if spec.rollouts == "own":
        yield Rollout(policy, setup.tokenizer, **settings)
        return
    from rlft_tui.jobs.vllm_server import VllmServer  # httpx, which other runs do without

    setup.job.stage("loading", detail="vLLM")
    with VllmServer(
        spec.model.path,
        rank=spec.lora.r,
        longest=longest + spec.max_new_tokens,
        dtype=str(setup.dtype).removeprefix("torch."),
        device=setup.device,
        memory=spec.vllm_memory,
        log=setup.job.folder.root / LOG,
        stopped=lambda: bool(setup.job.stop.asked),
    ) as server:
        yield VllmRollout(policy, setup.tokenizer, server, **settings)


class VllmRollout:
    """Draws as ``Rollout`` does, from a server that is given the adapter before each update."""

    def __init__(
        self,
        policy: Policy,
        tokenizer: Any,
        server: VllmServer,
        *,
        max_new_tokens: int,
        rows: int,
        seed: int,
    ) -> None:
        """``rows`` answers are asked for at a time."""
        self.policy = policy
        self.tokenizer = tokenizer
        self.server = server
        self.max_new_tokens = max_new_tokens
        self.rows = rows
        self.seed = seed
        self.ends = sorted(end_ids(policy.model, tokenizer))

    def draw(
        self,
        prompts: Sequence[list[int]],
        places: Sequence[int],
        *name: object,
        only: Sequence[int] | None = None,
        stopped: Callable[[], bool] = Never,
    ) -> list[Answer] | None:
        """As ``Rollout.draw``. Each answer has a seed of its own; what else shares its batch moves the
        rounding, so two draws of one seed may part after some tokens."""
        adapter = "-".join(map(str, name))
        wanted = range(len(places)) if only is None else only
        with tempfile.TemporaryDirectory(prefix="rlft-adapter-") as folder:
            self.policy.model.save_pretrained(folder, selected_adapters=[POLICY])
            self.server.load_adapter(adapter, Path(folder))
            pool = ThreadPoolExecutor(self.rows)
            try:
                asked = [
                    pool.submit(partial(self._draw, adapter, prompts[places[index]], name, index))
                    for index in wanted
                ]
                if not self._answered(asked, stopped):
                    return None
            finally:
                # Answers under way are not waited for: they end with the server.
                pool.shutdown(wait=False, cancel_futures=True)
        self.server.drop_adapter(adapter)
        return [
            self._answer(prompts[places[index]], places[index], one.result())
            for index, one in zip(wanted, asked, strict=True)
        ]

    def _draw(self, adapter: str, prompt: list[int], name: tuple[object, ...], index: int) -> Drawn:
        return self.server.draw(
            adapter,
            prompt,
            temperature=self.policy.temperature,
            longest=self.max_new_tokens,
            ends=self.ends,
            seed=derived_seed(self.seed, *map(str, name), str(index)),
        )

    def _answered(self, asked: list[Future[Drawn]], stopped: Callable[[], bool]) -> bool:
        """Wait for all; False when the run is to stop."""
        waiting = set(asked)
        try:
            while waiting:
                done, waiting = wait(waiting, LOOK_SECONDS)
                for one in done:
                    one.result()
                if stopped():
                    return False
                self.server.require_alive()
        except UnavailableError:
            # What asks the run to stop may have reached the server first.
            if stopped():
                return False
            raise
        return True

    def _answer(self, prompt: list[int], place: int, drawn: Drawn) -> Answer:
        said = drawn.tokens[:-1] if drawn.ended else drawn.tokens
        text = str(self.tokenizer.decode(said, skip_special_tokens=True))
        return Answer(prompt, drawn.tokens, drawn.ended, text, place, tuple(drawn.logprobs))
