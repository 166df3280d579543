"""`tcm-hf push`: a checkpoint goes to the Hub, with a card from what was measured."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.hub_errors import HOW_TO_LOG_IN, hub_reason
from tcm_hf.cli.load_models import load_pipeline

DESCRIPTION = """\
Send a checkpoint to the Hub: model, processor and a card (README.md), and not what a training left beside
them (optimizer, other checkpoints, settings with paths of this computer). Before that the folder is checked,
and loaded as a pipeline.

Without README.md in FOLDER a card is written: what the model is, how it was trained, and the numbers of
training_report.json and of --evaluation files, each with corpus, protocol and command.

Token, endpoint and cache are those of huggingface_hub: HF_TOKEN or `hf auth login`, HF_ENDPOINT, HF_HOME.
"""
EPILOG = "The address of the commit is printed on stdout, everything else on stderr."


def add_parser(subparsers: Any) -> None:
    """Add the verb and its arguments."""
    parser = subparsers.add_parser(
        "push",
        help="send a checkpoint to the Hub, with a card from measurements",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="checkpoint, for example runs/detector")
    parser.add_argument("repository", type=_repository, metavar="REPO", help="owner/name, or a name of yours")
    parser.add_argument("--private", action="store_true", help="where the repository is new: for you alone")
    parser.add_argument("--revision", metavar="BRANCH", help="made if it is new (default: main)")
    parser.add_argument(
        "--with-code",
        action="store_true",
        help="the code beside the weights, so that it loads with trust_remote_code=True without tcm_hf",
    )
    parser.add_argument(
        "--evaluation",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="what tcm-hf evaluate printed, for the card",
    )
    parser.add_argument("--license", metavar="ID", help="of the weights, as the Hub names it: apache-2.0, …")
    parser.add_argument("--message", metavar="TEXT", help="of the commit")
    parser.add_argument(
        "--dry-run", action="store_true", help="check, list the files, print the card, send nothing"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bar, no summary")


def run(arguments: argparse.Namespace) -> int:
    """Push; returns the exit code.

    Raises:
        CommandError: For a folder that is no whole model, or a Hub that does not take it.
    """
    from tcm_hf.hub.folders import CARD, check_folder
    from tcm_hf.hub.trained_cards import card_of_folder

    if not arguments.folder.is_dir():
        raise CommandError(f"no such folder: {arguments.folder}")
    try:
        kind = check_folder(arguments.folder)
        card = card_of_folder(
            arguments.folder,
            arguments.repository,
            arguments.evaluation,
            has_code=arguments.with_code,
            licence=arguments.license,
        )
    except ValueError as error:
        raise CommandError(str(error)) from error
    if not arguments.dry_run:
        _check_access()
    pipeline = load_pipeline(kind.task, str(arguments.folder), device="cpu", dtype="auto", quiet=True)
    with tempfile.TemporaryDirectory(prefix="tcm-hf-push-") as name:
        staged = Path(name)
        (staged / CARD).write_text(card, encoding="utf-8")
        left = _stage(arguments, pipeline, staged)
        if not arguments.quiet:
            _tell(arguments, staged, left, card)
        if arguments.dry_run:
            print(card, end="")
            return 0
        commit = _push(arguments, staged)
    print(commit.commit_url)
    if not arguments.quiet:
        print(
            f'tcm-hf push: pinned as pipeline("{kind.task}", model="{arguments.repository}", '
            f'revision="{commit.oid}")',
            file=sys.stderr,
        )
    return 0


def _repository(text: str) -> str:
    if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text} is no repository: write owner/name, or a name of yours")
    return text


def _check_access() -> None:
    """Before minutes go into loading."""
    from huggingface_hub import get_token
    from huggingface_hub.constants import is_offline_mode

    if is_offline_mode():
        raise CommandError("HF_HUB_OFFLINE is set: unset it to push, or take --dry-run")
    if get_token() is None:
        raise CommandError(f"no access token: {HOW_TO_LOG_IN}")


def _stage(arguments: argparse.Namespace, pipeline: Any, staged: Path) -> list[str]:
    """Copy what is pushed beside the card; returns the names of what is not."""
    from tcm_hf.hub.folders import CARD, files_to_push

    sent, left = files_to_push(arguments.folder, (staged / CARD).read_text(encoding="utf-8"))
    for name in sent:
        if name != CARD:
            (staged / name).parent.mkdir(exist_ok=True, parents=True)
            shutil.copyfile(arguments.folder / name, staged / name)
    if arguments.with_code:
        from tcm_hf.hub.code_beside_weights import save_with_code

        save_with_code(pipeline, staged)
    return left


def _tell(arguments: argparse.Namespace, staged: Path, left: list[str], card: str) -> None:
    from tcm_hf.hub.cards import NOT_MEASURED

    files = [path for path in sorted(staged.rglob("*")) if path.is_file()]
    size_mb = sum(path.stat().st_size for path in files) / 1e6
    names = ", ".join(path.relative_to(staged).as_posix() for path in files)
    lines = [f"{len(files)} files, {size_mb:.1f} MB for {arguments.repository}: {names}"]
    lines += [f"not sent: {', '.join(left)}"] if left else []
    lines += ["the card has no numbers: give --evaluation FILE"] if NOT_MEASURED in card else []
    if "\nlicense:" not in card.partition("\n---\n")[0]:
        lines.append("the card names no licence: give --license, or others may not use the model")
    print("\n".join(f"tcm-hf push: {line}" for line in lines), file=sys.stderr)


def _push(arguments: argparse.Namespace, staged: Path) -> Any:
    from huggingface_hub.errors import HTTPError
    from huggingface_hub.utils import disable_progress_bars

    from tcm_hf.hub.pushing import push_folder

    if arguments.quiet or not sys.stderr.isatty():
        disable_progress_bars()
    try:
        return push_folder(
            staged,
            arguments.repository,
            private=arguments.private or None,
            revision=arguments.revision,
            commit_message=arguments.message,
        )
    except (HTTPError, OSError, ValueError) as error:
        reason = hub_reason(error, arguments.repository, arguments.revision) or str(error)
        raise CommandError(f"cannot push to {arguments.repository}: {reason}") from error
