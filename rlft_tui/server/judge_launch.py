"""From what is asked of a judge to a run: who judges, by which rubric, which items."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rlft_tui.config import Settings, TokenPrices
from rlft_tui.database.connection import Database
from rlft_tui.errors import ConflictError, NotFoundError, RlftError
from rlft_tui.evaluations.item_log import ITEMS, read_items
from rlft_tui.evaluations.judge.judgement import JudgeItem, encode_line
from rlft_tui.evaluations.judge.judgements_table import answers_to_rate, pairs_to_judge
from rlft_tui.evaluations.judge.request import JudgeRequest
from rlft_tui.evaluations.judge.rubric import find_rubric
from rlft_tui.models.models_table import list_models
from rlft_tui.paths import Workspace
from rlft_tui.providers.settings import key_of
from rlft_tui.record import Record
from rlft_tui.runs.run_spec import parse_spec
from rlft_tui.runs.specs.judge import JudgeSpec
from rlft_tui.server.launch_request import LaunchRequest
from rlft_tui.server.model_sources import resolve_model
from rlft_tui.server.supervisor import Supervisor

COMPLETIONS = "completions.jsonl"


class JudgeLauncher(Record, frozen=True):
    """Resolves requests against one workspace."""

    workspace: Workspace
    settings: Settings
    database: Database
    supervisor: Supervisor
    built_in: Path
    """Folder of the rubrics that ship with the program."""

    def resolve(self, asked: JudgeRequest) -> LaunchRequest:
        """The run and its files; RlftError for a judge, rubric or answers that cannot be had."""
        rubric = find_rubric(asked.rubric, self.workspace.rubrics, self.built_in)
        judge = self._judge(asked.judge)
        name = asked.name or _name(judge)
        local = "model" in judge
        values: dict[str, Any] = {
            "id": asked.id,
            "method": "judge",
            "name": name,
            "mode": asked.mode,
            **judge,
            "rubric": {
                "name": rubric.name,
                "version": rubric.version(asked.mode),
                "criteria": rubric.criteria,
                "system": rubric.system,
                "template": rubric.template(asked.mode),
            },
            "both_orders": asked.both_orders,
            "combine": asked.combine or ("average" if local and asked.mode == "pair" else "agree"),
            "keep": asked.keep,
            "concurrency": asked.concurrency,
            "requests_per_minute": asked.requests_per_minute,
            "max_answer_tokens": asked.max_answer_tokens,
            "temperature": asked.temperature,
            "prices": {} if local else self._prices(asked.judge),
            "max_cost": asked.max_cost,
            "seed": asked.seed,
            **({"threads": self.settings.threads} if self.settings.threads else {}),
        }
        spec = parse_spec(values, where="judge")
        assert isinstance(spec, JudgeSpec)
        items = self._items(asked, judge=name, version=rubric.version(asked.mode))
        content = b"".join(encode_line(item) for item in items)
        return LaunchRequest(spec, None, [], files={spec.items: content})

    def _judge(self, asked: str) -> dict[str, Any]:
        """The spec's ``model`` or ``provider``; a name in the registry goes before a provider's."""
        if not asked:
            raise RlftError("no judge was named", remedy="--judge NAME: a provider of rlft.toml, or a model")
        with self.database.reader() as connection:
            registered = {model.name for model in list_models(connection)}
            provider, _, wanted = asked.partition(":")
            if asked in registered or provider not in self.settings.providers:
                return {"model": self._local(connection, asked).model_dump()}
        settings = self.settings.providers[provider]
        model = wanted or settings.model
        if not model:
            raise RlftError(
                f"provider {provider} has no model set",
                where="rlft.toml",
                remedy=f"Name one: {provider}:MODEL, or set model in [providers.{provider}]",
            )
        key_of(provider, settings)
        return {
            "provider": {
                "name": provider,
                "kind": settings.kind,
                "url": settings.url,
                "model": model,
                "key_env": settings.key_env,
                "timeout_seconds": settings.timeout_seconds,
            }
        }

    def _local(self, connection: Any, asked: str) -> Any:
        try:
            return resolve_model(connection, asked)
        except NotFoundError as error:
            known = ", ".join(self.settings.providers)
            there = f"providers: {known}" if known else "no provider is set"
            there += f"; one written into rlft.toml as [providers.{asked}] is known after rlft server restart"
            raise NotFoundError(
                f"{asked!r} is neither a provider nor a model here",
                where="--judge",
                remedy=f"{error.remedy}; {there}".strip("; "),
            ) from None

    def _prices(self, judge: str) -> dict[str, float]:
        provider, _, model = judge.partition(":")
        model = model or self.settings.providers[provider].model
        for name in (judge, f"{provider}:{model}", model, provider):
            if name in self.settings.prices:
                found: TokenPrices = self.settings.prices[name]
                return {"prompt": found.prompt, "answer": found.answer}
        return {}

    def _items(self, asked: JudgeRequest, *, judge: str, version: str) -> list[JudgeItem]:
        if asked.run:
            items = self._items_of_run(asked)
        else:
            with self.database.reader() as connection:
                if asked.mode == "pair":
                    items = pairs_to_judge(connection, asked, judge=judge, version=version)
                elif not asked.model:
                    raise RlftError(
                        "whose answers are to be rated?",
                        where="--model",
                        remedy="Name a model, or a run: --run",
                    )
                else:
                    items = answers_to_rate(connection, asked, judge=judge, version=version)
        if items:
            return items
        if not asked.again and not asked.run:
            raise NotFoundError(
                f"there is nothing left for judge {judge} to judge by this rubric",
                remedy="Widen the choice, or judge again: --again",
            )
        raise NotFoundError("there is nothing to judge", remedy="Make pairs: rlft pairs generate")

    def _items_of_run(self, asked: JudgeRequest) -> list[JudgeItem]:
        """The answers in an evaluation's items, or of a run of completions."""
        if asked.mode == "pair":
            raise ConflictError("a run's answers are rated, not paired", remedy="Give --mode rating")
        folder = self.supervisor.folder(asked.run)
        models = self.supervisor.summary(asked.run).model
        found: dict[str, JudgeItem] = {}
        for item in read_items(folder.root / ITEMS):
            if item.output.strip():
                found[item.item] = JudgeItem(item.item, item.prompt, item.output, model_a=models)
        path = folder.root / COMPLETIONS
        for line in path.read_bytes().splitlines() if path.is_file() else ():
            try:
                row = json.loads(line)
                key = f"{row['prompt_id']}#{row.get('index', 0)}"
                text = str(row["text"])
            except (ValueError, KeyError, TypeError):
                continue
            if text.strip():
                found[key] = JudgeItem(key, str(row["prompt"]), text, model_a=models)
        if not found:
            raise NotFoundError("this run has no answers to rate", where=asked.run)
        kept = sorted(found.values(), key=lambda one: _order(asked.seed, one.id))
        return kept[: asked.limit or None]


def _name(judge: dict[str, Any]) -> str:
    named = judge["provider"]["model"] if "provider" in judge else judge["model"]["name"]
    return str(named)[:80]


def _order(seed: int, identity: str) -> str:
    import hashlib

    return hashlib.md5(f"{seed}{identity}".encode(), usedforsecurity=False).hexdigest()
