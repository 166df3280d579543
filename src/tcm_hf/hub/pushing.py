"""A folder goes to the Hub: what is a model of it, in one commit."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import CommitInfo, HfApi

from tcm_hf._version import __version__
from tcm_hf.hub.folders import files_to_push

# Of an earlier push: weights in other shards would be taken for those of this one.
_STALE = ["model.safetensors", "model-*-of-*.safetensors", "model.safetensors.index.json"]


def push_folder(
    folder: str | Path,
    repo_id: str,
    *,
    private: bool | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    commit_message: str | None = None,
) -> CommitInfo:
    """Send the model in a folder to the Hub, in one commit.

    Sent are model, processor, code and card (`tcm_hf.hub.folders.files_to_push`), not what a training left
    beside them. Weights of an earlier push in other files are removed, what else is in the repository stays.
    Endpoint, token and cache are those of huggingface_hub: `HF_ENDPOINT`, `HF_TOKEN`, `HF_HOME`.

    Args:
        folder: The checkpoint.
        repo_id: Repository, "owner/name" or a name of one's own; made if it does not exist.
        private: Whether a new repository is private; `None` leaves it to the account's setting.
        revision: Branch to send it to; made if it does not exist. `None` is main.
        token: Access token; `None` takes the stored one.
        commit_message: Of the commit.

    Returns:
        The commit: `commit_url`, and `oid`, which pins this very state as `revision=`.

    Raises:
        ValueError: If there is no model in the folder.
        HfHubHTTPError: If the Hub refuses.
    """
    folder = Path(folder)
    files, _ = files_to_push(folder)
    api = HfApi(token=token)
    repo_id = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
    if revision is not None:
        api.create_branch(repo_id, branch=revision, exist_ok=True)
    return api.upload_folder(
        repo_id=repo_id,
        folder_path=folder,
        revision=revision,
        allow_patterns=files,
        delete_patterns=_STALE,
        commit_message=commit_message or f"Push with tcm_hf {__version__}",
    )


__all__ = ["push_folder"]
