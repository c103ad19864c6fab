"""What rewards a generated answer, as a run is asked for it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from rlft_tui.errors import RlftError
from rlft_tui.runs.specs.base import ModelSource, Spec


class RewardPart(Spec):
    """One reward, its weight and its options. In text: ``length:0.5:minimum=8:maximum=15``."""

    source: str
    """A built-in (rlft rewards list), a Python file of the workspace (rewards/mine.py, or
    rewards/mine.py:function where it has several), or a trained reward model (model:NAME)."""
    weight: float = Field(default=1.0, allow_inf_nan=False)
    """What the reward is multiplied by before all are added; negative turns it into a penalty."""
    options: dict[str, str | bool | int | float] = Field(default_factory=dict)
    """Settings of a built-in."""
    model: ModelSource | None = None
    """The model of a model: source; the server fills it in."""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, values: Any) -> Any:
        """A text is taken apart; the source is checked, and a built-in's options too."""
        from rlft_tui.rewards.built_in import check_options
        from rlft_tui.rewards.source import parse_reward, parse_source, shortest

        try:
            if isinstance(values, str):
                values = parse_reward(values)
            if not isinstance(values, dict) or not isinstance(values.get("source"), str):
                return values
            source = parse_source(values["source"])
            options = values.get("options") or {}
            if isinstance(options, dict) and source.kind == "builtin":
                # A flag gives texts: kept is what the reward makes of them.
                made = check_options(source.name, options)
                values = {**values, "options": {key: getattr(made, key) for key in options}}
            elif options:
                raise RlftError(f"{values['source']} takes no options")
            return {**values, "source": shortest(source)}
        except RlftError as error:
            raise ValueError(str(error)) from None

    @model_serializer(mode="wrap")
    def _as_text(self, handler: SerializerFunctionWrapHandler) -> Any:
        """As the text that gives the same reward, where there is one: so it stands in run.toml and flags."""
        from rlft_tui.rewards.source import parse_reward, reward_text

        text = reward_text(self.source, self.weight, self.options)
        plain = (
            self.model is None
            and "," not in text
            and set(parse_reward(text).get("options", {})) == set(self.options)
        )
        if plain and RewardPart.model_validate(text) == self:
            return text
        return {key: value for key, value in handler(self).items() if value not in (None, {})}


def _listed(value: Any) -> Any:
    """A flag or a form gives several as one text, with commas between them."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


Rewards = Annotated[tuple[RewardPart, ...], BeforeValidator(_listed), Field(min_length=1)]
AnyRewards = Annotated[tuple[RewardPart, ...], BeforeValidator(_listed)]
"""None is allowed, too."""


def reward_names(rewards: tuple[RewardPart, ...]) -> tuple[str, ...]:
    """A readable name for each, no two the same: what stands in metric keys and beside samples."""
    from rlft_tui.rewards.source import parse_source, unique_names

    return unique_names([parse_source(part.source) for part in rewards])
