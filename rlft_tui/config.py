"""rlft.toml: the settings of one workspace."""

from __future__ import annotations

import difflib
import getpass
import json
import re
import tomllib
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import field

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.paths import Workspace
from rlft_tui.providers.settings import ProviderSettings, check_providers
from rlft_tui.record import Record


class TokenPrices(Record, frozen=True):
    """Of a million tokens."""

    prompt: float = 0.0
    answer: float = 0.0


class Settings(Record, frozen=True):
    """Every setting has a default; the file may name any of them."""

    labeler: str = field(default_factory=getpass.getuser)
    """Name under which verdicts are stored."""
    default_model: str = "smollm2-135m"
    """Model offered first for generating, training and comparing."""
    theme: str = "textual-dark"
    layout: Literal["standard", "left-hand", "right-hand"] = "standard"
    """Keys of the label screen; ``keymap`` goes before it."""
    strengths: bool = False
    """Whether the label screen asks how much better an answer is."""
    strengths_of: dict[str, bool] = field(default_factory=dict)
    """The same by labeller, for those who chose."""
    keymap: dict[str, str] = field(default_factory=dict)
    """Binding id to keys, such as ``label.first = "1,j"``."""
    idle_minutes: float = 30.0
    """The server ends itself after this long without a client or an active run."""
    worker_idle_minutes: float = 10.0
    """The inference worker frees its memory after this long without a request."""
    threads: int = 0
    """CPU threads of jobs; 0 leaves the choice to torch."""
    parallel_runs: int = 1
    """How many runs are on the device at once, training and generating; later ones wait in line."""
    round_pairs: int = 20
    """Pairs with its parent that are queued when a training run has ended, unless the run says; 0: none."""
    daily_backups: int = 7
    """How many automatic daily backups are kept; 0 for none."""
    repeat_share: float = 0.05
    """Share of the pairs that come back hidden with their sides swapped, to measure the labeller."""
    control_share: float = 0.2
    """Share of an active order that is chosen at random, so that its saving can be measured."""
    overlap: int = 0
    """How many labellers judge one pair; 0 for everybody."""
    alarm_command: str = ""
    """Run for each alarm and each end of a run, without a shell; the text is its last argument."""
    alarm_webhook: str = ""
    """URL that gets a POST with the text of each alarm and each end of a run, as ntfy takes it."""
    providers: dict[str, ProviderSettings] = field(default_factory=dict)
    """Models that answer elsewhere, by the name they are asked under."""
    prices: dict[str, TokenPrices] = field(default_factory=dict)
    """What a provider's tokens cost, by NAME or NAME:MODEL, in any one currency."""

    def asks_strength(self, labeler: str) -> bool:
        """Whether this labeller is asked how much better an answer is."""
        return self.strengths_of.get(labeler, self.strengths)


def read_settings(path: Path) -> Settings:
    """The settings in a rlft.toml; RlftError names file, key and the nearest valid key."""
    try:
        # Some editors begin a file with a byte order mark.
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise NotFoundError("no settings file", where=str(path), remedy="rlft init makes one") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RlftError(f"not valid TOML: {error}", where=str(path)) from None
    except ValueError:  # Python parses no integer of more than 4300 digits
        raise RlftError("not valid TOML: a number in it is too long", where=str(path)) from None
    known = Settings.__struct_fields__
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            remedy = f"Did you mean {near[0]}?" if near else f"Settings: {', '.join(known)}"
            raise RlftError(f"unknown setting {key!r}", where=str(path), remedy=remedy)
    _check_provider_keys(values.get("providers"), path)
    try:
        settings = msgspec.convert(values, Settings)
    except msgspec.ValidationError as error:
        said = str(error)
        raise RlftError(said[:1].lower() + said[1:], where=str(path)) from None
    check_providers(settings.providers, str(path))
    return settings


def _check_provider_keys(tables: object, path: Path) -> None:
    """RlftError for a setting no provider has; a key to an account among them is not repeated."""
    known = ProviderSettings.__struct_fields__
    for name, table in tables.items() if isinstance(tables, dict) else ():
        for key in table if isinstance(table, dict) else ():
            if key not in known:
                remedy = f"Settings: {', '.join(known)}. A key is in the environment, key_env says where"
                raise RlftError(
                    f"[providers.{name}]: unknown setting {key!r}", where=str(path), remedy=remedy
                )


def alarm_words(command: str) -> list[str]:
    """``alarm_command`` as the words it is started with; RlftError when a shell could not read it either."""
    import shlex

    if "\0" in command:
        raise RlftError("alarm_command: a NUL cannot stand in it", where="rlft.toml")
    try:
        return shlex.split(command)
    except ValueError as error:
        said = str(error)
        raise RlftError(f"alarm_command: {said[:1].lower()}{said[1:]}", where="rlft.toml") from None


def alarm_address(webhook: str) -> str:
    """``alarm_webhook`` as it stands; RlftError when nothing can be posted there."""
    from urllib.parse import urlsplit

    if any(letter.isspace() or not letter.isprintable() for letter in webhook):
        raise RlftError("alarm_webhook: a space or control character stands in it", where="rlft.toml")
    try:
        parts = urlsplit(webhook)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if webhook and not whole:
        raise RlftError("alarm_webhook: not an http:// or https:// address", where="rlft.toml")
    return webhook


def settings_at_fault(settings: Settings) -> list[str]:
    """A line for each setting that is set aside because it cannot be used; everything else works."""
    faults = []
    for check, value in ((alarm_words, settings.alarm_command), (alarm_address, settings.alarm_webhook)):
        try:
            check(value)
        except RlftError as error:
            faults.append(f"{error.where}: {error.what}")
    return faults


def keep_setting(path: Path, name: str, value: bool | str | dict[str, bool]) -> None:
    """Write one setting into a rlft.toml and leave every other line as it is.

    What a setting by name holds about other names stays too.
    RlftError when the file cannot be written, or would not say what was wanted.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        before = tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise RlftError(f"the setting {name} was not kept: {error}", where=str(path)) from None
    if isinstance(value, dict):
        held = before.get(name)
        value = {**(held if isinstance(held, dict) else {}), **value}
        items = (f"{json.dumps(key)} = {json.dumps(one)}" for key, one in value.items())
        written = f"{name} = {{ {', '.join(items)} }}"
    else:
        written = f"{name} = {json.dumps(value)}"
    # Settings stand before the first table, a commented one shows where.
    first_table = re.search(r"^\s*\[", text, re.MULTILINE)
    cut = first_table.start() if first_table else len(text)
    top, tables = text[:cut], text[cut:]
    for pattern in (rf"^{name}\s*=.*$", rf"^# ?{name}\s*=.*$"):
        top, replaced = re.subn(pattern, lambda _: written, top, count=1, flags=re.MULTILINE)
        if replaced:
            break
    else:
        top = f"{top.rstrip()}\n{written}\n\n".lstrip("\n")
    try:
        kept = tomllib.loads(top + tables) == {**before, name: value}
    except tomllib.TOMLDecodeError:
        kept = False
    if not kept:
        remedy = f"Write it there: {written}"
        raise RlftError(f"the setting {name} was not kept", where=str(path), remedy=remedy)
    changed = top + tables
    partial = path.with_suffix(".partial")
    try:
        partial.write_text(changed, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise RlftError(f"the setting {name} was not kept: {error.strerror}", where=str(path)) from None


_TEMPLATE = """\
# Settings of this rlft workspace. Every line is optional; the values shown are the defaults.

# Name under which your verdicts are stored (default: your user name).
# labeler = "{labeler}"

# Model offered first for generating, training and comparing.
# default_model = "{default_model}"

# Colours of the workbench: any Textual theme.
# theme = "{theme}"

# Keys of the label screen: standard, left-hand or right-hand.
# layout = "{layout}"

# Whether the label screen asks how much better an answer is (true or false; m there changes it
# for who presses it).
# strengths = {strengths}

# The server ends itself after this many minutes without a client or an active run.
# idle_minutes = {idle_minutes}

# The inference worker frees its memory after this many minutes without a request.
# worker_idle_minutes = {worker_idle_minutes}

# CPU threads of training and generating; 0 leaves the choice to torch.
# threads = {threads}

# How many runs are on the device at once; later ones wait in line and start by themselves.
# parallel_runs = {parallel_runs}

# Prompts that a training run's result and what it would replace both answer at its end, to be judged
# blind; 0 for none.
# round_pairs = {round_pairs}

# How many automatic daily backups are kept; 0 for none.
# daily_backups = {daily_backups}

# Share of the pairs that come back hidden, sides swapped, to measure how consistent you are.
# repeat_share = {repeat_share}

# Share of an active order that is chosen at random, so that its saving can be measured.
# control_share = {control_share}

# How many labellers judge one pair; 0: everybody judges every pair.
# overlap = {overlap}

# Told of every alarm and every end of a run: a command (the text is its last argument), a web address.
# alarm_command = "notify-send rlft"
# alarm_webhook = "https://ntfy.sh/my-topic"

# Models that answer elsewhere, asked as NAME or NAME:MODEL. kind: openai (Ollama, vLLM, llama.cpp's
# server, OpenAI) or anthropic. The key is never written down: key_env names the environment variable.
# [providers.ollama]
# kind = "openai"
# url = "http://127.0.0.1:11434/v1"
# model = "llama3.2"
# key_env = ""

# What a provider's tokens cost, by NAME or NAME:MODEL, for a million of them: a judge's run counts it.
# [prices.ollama]
# prompt = 0.0
# answer = 0.0

# Keys, by the id of their binding.
# [keymap]
# "label.first" = "1,j"
"""


def create_workspace(path: Path) -> Workspace:
    """Make a workspace in a new or existing folder; nothing already there is touched.

    Called again it changes nothing, so it is safe to repeat.
    """
    root = Workspace(path.expanduser().absolute()).root
    try:
        root.mkdir(parents=True, exist_ok=True)
        workspace = Workspace(root.resolve())
        for folder in (workspace.runs, workspace.datasets, workspace.models, workspace.backups):
            folder.mkdir(exist_ok=True)
        if not workspace.settings.exists():
            shown = {name: getattr(Settings(), name) for name in Settings.__struct_fields__}
            text = _TEMPLATE.format_map({**shown, "strengths": str(Settings().strengths).lower()})
            partial = workspace.settings.with_suffix(".partial")
            partial.write_text(text, encoding="utf-8")
            partial.replace(workspace.settings)
    except OSError as error:
        raise RlftError(
            f"cannot make a workspace here: {error.strerror or error}".lower(),
            where=str(root),
            remedy="Name a folder that you may write to",
        ) from None
    return workspace
