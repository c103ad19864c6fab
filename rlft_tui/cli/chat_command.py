"""rlft chat"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from rlft_tui.cli.answer_options import (
    MaxNewTokens,
    Seed,
    SoFar,
    System,
    Temperature,
    TopP,
    answer_record,
    failed,
)
from rlft_tui.cli.command import command, noun
from rlft_tui.cli.session import Session, write
from rlft_tui.errors import RlftError

if TYPE_CHECKING:
    from rlft_tui.cli.conversation import Conversation
    from rlft_tui.client.workspace_client import WorkspaceClient

app = noun("chat")


@command(
    app,
    "rlft chat smollm2-135m",
    'rlft chat dpo-1129-1740-abcd "Why is the sky blue?" --temperature 0',
    'rlft chat ollama:llama3.2 "What is a river?" --system "Answer in French." --json',
)
def chat(
    session: Session,
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A name of rlft models list, or PROVIDER:MODEL.")
    ],
    prompt: Annotated[
        str, typer.Argument(metavar="[PROMPT]", help="Asked once, without a conversation.")
    ] = "",
    system: System = "",
    temperature: Temperature = 0.7,
    top_p: TopP = 1.0,
    max_new_tokens: MaxNewTokens = 512,
    seed: Seed = 1,
) -> None:
    """Talk to a model; the answer comes as it is written.

    In a terminal turn after turn, until ctrl+d: /help lists what else can be said. In a pipe standard
    input is the prompt and standard output the answer. With --json each answer is one line of JSON.
    """
    from rlft_tui.cli.conversation import Conversation

    settings = {
        "temperature": str(temperature),
        "top_p": str(top_p),
        "max_new_tokens": str(max_new_tokens),
        "seed": str(seed),
    }
    talk = Conversation(model, system, settings)
    if not prompt and not sys.stdin.isatty():
        prompt = sys.stdin.read()
        if not prompt.strip():
            raise RlftError("the prompt is empty", where="rlft chat", remedy="Write one into standard input")
    with session.connect() as client:
        # Loading begins while the message is still being typed.
        talk.check_model = lambda name: client.warm_up((name,))
        if prompt:
            _answer(session, client, talk, prompt.strip())
        else:
            _converse(session, client, talk)


def _converse(session: Session, client: WorkspaceClient, talk: Conversation) -> None:
    """Message after message; an error is told and the conversation goes on."""
    import readline  # noqa: F401 - gives input() its editing keys and its history

    session.say(f"{talk.model} · /help lists what can be said, ctrl+d leaves")
    while not talk.left:
        try:
            line = _message()
        except EOFError:
            write("")
            return
        except KeyboardInterrupt:
            write("\n(ctrl+d leaves)")
            continue
        try:
            if line.startswith("/"):
                told, line = talk.command(line)
                session.say(told) if told else None
            if line.strip():
                _answer(session, client, talk, line.strip())
        except RlftError as error:
            session.say(str(error))
        except KeyboardInterrupt:
            write("")
            session.say("stopped; what was said does not count")


def _message() -> str:
    """What is typed, over several lines where each but the last ends with a backslash."""
    lines = [input("> ")]
    while lines[-1].endswith("\\"):
        lines[-1] = lines[-1][:-1]
        lines.append(input("… "))
    return "\n".join(lines)


def _answer(session: Session, client: WorkspaceClient, talk: Conversation, prompt: str) -> None:
    """One message and its answer, which becomes a part of the conversation once it is whole."""
    import json

    request = talk.request(prompt)
    answer = SoFar()
    for piece in client.generate(request):
        if piece.kind == "error":
            raise failed(talk.model, piece.text, died=piece.restarts)
        if piece.kind == "loading":
            session.say(f"loading {piece.text or talk.model}")
            continue
        answer.take(piece)
        if piece.text and not session.json:
            write(piece.text, newline=False)
    if not answer.done:
        raise failed(talk.model, "the answer ended before it was done")
    if session.json:
        record = {"prompt": prompt, **answer_record(request.asked()[0], answer)}
        write(json.dumps(record, ensure_ascii=True))
    elif not answer.text.endswith("\n"):
        write("\n", newline=False)
    if answer.ended == "length":
        session.say(f"cut at {answer.tokens:,} tokens: --max-new-tokens, or /set max_new_tokens")
    talk.answered(prompt, answer.text)
