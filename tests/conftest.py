"""What tests of several folders share."""

import pytest

from fakehub import serve


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """An empty Hub: huggingface_hub talks to it and to nothing else, with a cache and a token of its own."""
    import huggingface_hub
    from huggingface_hub import constants
    from transformers.utils import hub as transformers_hub

    server, endpoint = serve()
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    cache = str(tmp_path / "hf" / "hub")
    # What they read from HF_ENDPOINT, HF_HOME and HF_HUB_OFFLINE when they were imported.
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", cache)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.hf_api.api, "endpoint", endpoint)
    monkeypatch.setattr(transformers_hub, "_hf_api", None, raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_fake")
    yield server
    server.shutdown()
    server.server_close()
