"""One line for what goes wrong between the command line and the Hub: name, rights, network, cache."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

HOW_TO_LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"


def hub_reason(error: BaseException, model: str, revision: str | None = None) -> str | None:
    """What went wrong, and what to do.

    Args:
        error: What loading or pushing raised.
        model: Hub id.
        revision: That was asked for.

    Returns:
        One line, or `None` where the Hub has no part in it.
    """
    from huggingface_hub import constants, errors

    at = f"{model} at {revision}" if revision else model
    for cause in _causes(error):
        if isinstance(cause, errors.GatedRepoError):
            return f"{model} is gated: ask for access at {constants.ENDPOINT}/{model}, then {HOW_TO_LOG_IN}"
        if isinstance(cause, errors.RevisionNotFoundError):
            return f"{model} has no branch, tag or commit {revision}"
        if isinstance(cause, errors.RepositoryNotFoundError):
            return (
                f"the Hub has no {model}, or does not show it to you: check the name; if it is private, "
                f"{HOW_TO_LOG_IN}"
            )
        if isinstance(cause, errors.LocalTokenNotFoundError):
            return f"no access token: {HOW_TO_LOG_IN}"
        if isinstance(cause, errors.LocalEntryNotFoundError | errors.OfflineModeIsEnabled):
            return _not_in_the_cache(at, model, revision)
        if isinstance(cause, errors.HfHubHTTPError):
            return _refusal(cause, model)
    if isinstance(error, errors.HTTPError):
        return f"the Hub ({constants.ENDPOINT}) cannot be reached: {' '.join(str(error).split())}"
    if constants.is_offline_mode() and not Path(model).exists() and missing_from_cache(model, revision):
        return _not_in_the_cache(at, model, revision)
    return None


def missing_from_cache(model: str, revision: str | None = None) -> list[str]:
    """Files of a model that the cache of this computer lacks; those of the processor as far as it is known.

    Args:
        model: Hub id.
        revision: Branch, tag or commit.
    """
    from huggingface_hub import try_to_load_from_cache

    from tcm_hf.hub.folders import INDEX, PROCESSORS, WEIGHTS, kind_of

    def cached(name: str) -> str | None:
        found = try_to_load_from_cache(model, name, revision=revision)
        return found if isinstance(found, str) else None

    config = cached("config.json")
    if config is None:
        return ["config.json"]
    wanted = [] if cached(INDEX) else [WEIGHTS]
    with suppress(ValueError):  # another model: loading tells that
        wanted += PROCESSORS[kind_of(Path(config).parent).task]
    return [name for name in wanted if cached(name) is None]


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _not_in_the_cache(at: str, model: str, revision: str | None) -> str:
    from huggingface_hub import constants

    missing = ", ".join(missing_from_cache(model, revision)) or "a part of it"
    where = f"and the cache ({constants.HF_HUB_CACHE}) lacks {missing}"
    if not constants.is_offline_mode():
        return f"the Hub ({constants.ENDPOINT}) cannot be reached for {at}, {where}"
    download = f"hf download {model}" + (f" --revision {revision}" if revision else "")
    return (
        f"{at} is not on this computer: HF_HUB_OFFLINE is set, {where}. Unset it, or first run `{download}`"
    )


def _refusal(error: BaseException, model: str) -> str:
    """What the Hub answered; of rights it only says that there are none."""
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    said = " ".join((getattr(error, "server_message", None) or str(error)).split())
    if status == 401:
        return f"the Hub does not know your token ({said}): {HOW_TO_LOG_IN}"
    if status == 403:
        return f"your token has no right to do this with {model} ({said}): take one that may write there"
    return f"the Hub answers {status} for {model}: {said}" if status else said
