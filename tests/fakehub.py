"""A loopback stand-in for the Hub: repositories, commits and downloads, in memory, standard library only.

Serves the routes that huggingface_hub needs to push models and to load them again. Files travel inside the
commit (`uploadMode: regular`), so neither LFS nor Xet is asked for.
"""

import base64
import hashlib
import json
import re
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USER = "me"
LOCK = threading.RLock()
API = re.compile(
    r"/api/models/([^/]+/[^/]+?)(?:/(revision|preupload|commit|tree|branch)(?:/([^/]+)(?:/(.*))?)?)?"
)
RESOLVE = re.compile(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


def digest(*parts) -> str:
    return hashlib.sha1(
        b"\0".join(part if isinstance(part, bytes) else str(part).encode() for part in parts)
    ).hexdigest()


def blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Repository:
    """Commits (sha -> files) and the branches that point at them."""

    def __init__(self, repo_id: str, private: bool = False):
        self.repo_id = repo_id
        self.private = private
        first = digest(repo_id, time.time())
        self.commits: dict[str, dict[str, bytes]] = {first: {}}
        self.branches = {"main": first}

    @property
    def files(self) -> dict[str, bytes]:
        """What lies on main."""
        return self.commits[self.branches["main"]]

    def sha(self, revision: str | None) -> str | None:
        revision = urllib.parse.unquote(revision or "main")
        return self.branches.get(revision, revision if revision in self.commits else None)

    def commit(self, branch: str, lines: list[dict]) -> str:
        files = dict(self.commits[self.branches[branch]])
        for line in lines:
            if line["key"] == "file":
                files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            elif line["key"] == "deletedFile":
                files.pop(line["value"]["path"], None)
        sha = self.branches[branch] = digest(self.branches[branch], time.time())
        self.commits[sha] = files
        return sha

    def info(self, sha: str) -> dict:
        siblings = [
            {"rfilename": path, "size": len(content), "blobId": blob_id(content)}
            for path, content in sorted(self.commits[sha].items())
        ]
        return {
            "_id": digest(self.repo_id)[:24],
            "id": self.repo_id,
            "modelId": self.repo_id,
            "sha": sha,
            "private": self.private,
            "gated": False,
            "disabled": False,
            "tags": [],
            "downloads": 0,
            "likes": 0,
            "createdAt": "2026-01-01T00:00:00.000Z",
            "lastModified": "2026-01-01T00:00:00.000Z",
            "siblings": siblings,
        }


class Handler(BaseHTTPRequestHandler):
    """Routes of the Hub; `repositories` and `refusals` (repo_id -> status, error code) are the server's."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    @property
    def repositories(self) -> dict[str, Repository]:
        return self.server.repositories

    def reply(self, code: int = 200, body=b"", headers: dict | None = None, kind: str = "application/json"):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        all_headers = {"Content-Type": kind, "Content-Length": str(len(body))} | (headers or {})
        for name, value in all_headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def reply_error(self, code: int, name: str, text: str):
        self.reply(code, {"error": text}, {"X-Error-Code": name, "X-Error-Message": text})

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            content = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return content
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def handle_any(self):
        with LOCK:
            self.server.tokens.add(self.headers.get("Authorization"))
            self.route(urllib.parse.urlsplit(self.path).path, self.body())

    do_GET = do_HEAD = do_POST = do_DELETE = handle_any

    def route(self, path: str, data: bytes):
        if path == "/api/validate-yaml":
            self.reply(200, {"errors": [], "warnings": []})
        elif path == "/api/whoami-v2":
            self.reply(
                200, {"type": "user", "id": "1", "name": USER, "fullname": USER, "orgs": [], "auth": {}}
            )
        elif path == "/api/repos/create":
            self.create(json.loads(data))
        elif match := API.fullmatch(path):
            self.api(*match.groups(), data)
        elif match := RESOLVE.fullmatch(path):
            self.resolve(*match.groups())
        else:
            self.reply_error(404, "NotImplementedHere", f"fakehub has no route {self.command} {path}")

    def create(self, request: dict):
        repo_id = f"{request.get('organization') or USER}/{request['name'].split('/')[-1]}"
        if self.refuse(repo_id):
            return
        exists = repo_id in self.repositories
        private = bool(request.get("private")) or request.get("visibility") == "private"
        self.repositories.setdefault(repo_id, Repository(repo_id, private))
        answer = {"url": f"http://{self.headers['Host']}/{repo_id}", "name": repo_id, "id": repo_id}
        self.reply(409 if exists else 200, answer | ({"error": "It exists already"} if exists else {}))

    def refuse(self, repo_id: str) -> bool:
        """Whether this repository is closed to everybody, which then was answered."""
        if repo_id not in self.server.refusals:
            return False
        status, code = self.server.refusals[repo_id]
        self.reply_error(status, code, f"Access to {repo_id} is refused")
        return True

    def find(self, repo_id: str, revision: str | None) -> tuple[Repository | None, str | None]:
        if self.refuse(repo_id):
            return None, None
        repository = self.repositories.get(repo_id)
        if repository is None:
            self.reply_error(404, "RepoNotFound", "Repository not found")
            return None, None
        sha = repository.sha(revision)
        if sha is None:
            self.reply_error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            return None, None
        return repository, sha

    def api(self, repo_id: str, verb: str | None, revision: str | None, rest: str | None, data: bytes):
        repository, sha = self.find(repo_id, None if verb == "branch" else revision)
        if repository is None:
            return
        if verb in (None, "revision"):
            self.reply(200, repository.info(sha))
        elif verb == "branch":
            repository.branches.setdefault(urllib.parse.unquote(revision), sha)
            self.reply(200, {})
        elif verb == "tree":
            files = repository.commits[sha].items()
            self.reply(
                200,
                [
                    {"type": "file", "path": name, "size": len(content), "oid": blob_id(content)}
                    for name, content in sorted(files)
                    if not rest or name.startswith(rest + "/")
                ],
            )
        elif verb == "preupload":
            files = json.loads(data)["files"]
            modes = [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False} for file in files]
            self.reply(200, {"files": modes})
        else:
            sha = repository.commit(
                urllib.parse.unquote(revision), [json.loads(x) for x in data.splitlines()]
            )
            url = f"http://{self.headers['Host']}/{repo_id}/commit/{sha}"
            self.reply(200, {"success": True, "commitOid": sha, "commitUrl": url, "hookOutput": ""})

    def resolve(self, repo_id: str, revision: str, name: str):
        repository, sha = self.find(repo_id, revision)
        if repository is None:
            return
        content = repository.commits[sha].get(urllib.parse.unquote(name))
        headers = {"X-Repo-Commit": sha}
        if content is None:
            headers |= {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}
            self.reply(404, b"Entry not found", headers, kind="text/plain")
        else:
            headers |= {"ETag": f'"{blob_id(content)}"', "Accept-Ranges": "none"}
            self.reply(200, content, headers, kind="application/octet-stream")


def serve() -> tuple[ThreadingHTTPServer, str]:
    """Start in a thread; returns the server, whose `repositories` and `tokens` can be seen, and its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.repositories, server.refusals, server.tokens = {}, {}, set()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}"
