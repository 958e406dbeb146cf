"""The Hub's HTTP API on 127.0.0.1, as much of it as the unmodified `huggingface_hub` client needs to push and to pull.

Repositories are dictionaries of commits, large files a dictionary by sha256; a commit happens whole or not at all, and
an upload whose bytes do not have the promised sha256 is refused. Every request is kept in `Hub.requests`, and `Fault`s
make the next matching ones fail as networks and servers do. As on the real Hub, large files go to and come from another
host by signed addresses, and a token must not follow them there.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml
from sign_in import Provider

LARGE = re.compile(r"\.(safetensors|bin|png|gguf|zip)$")
LICENCES = {"mit", "apache-2.0", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "openrail", "other", "unknown"}
PIECE = 1 << 16
PATIENCE_SECONDS = 120  # of one that stalls; whoever waits for it for so long has hung


@dataclass
class Request:
    """One request as it arrived; `body` is what was read of it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""


@dataclass
class Fault:
    """What happens to the next `times` requests whose `METHOD /path` matches `where`.

    A `status` is answered (with `message`, an `X-Error-Code`); `drop_after` reads so many bytes of the body and cuts
    the connection; `loses_answer` works and cuts it before the answer, `breaks_after` so many bytes into its body;
    `hold` waits for the event before anything is read, `stalls` after the headers of the answer; `drip` waits so many
    seconds before each byte of the body.
    """

    where: str
    status: int = 0
    message: str = ""
    code: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1
    drop_after: int = -1
    loses_answer: bool = False
    breaks_after: int = -1
    hold: threading.Event | None = None
    stalls: threading.Event | None = None
    drip: float = 0.0


@dataclass
class User:
    name: str
    role: str = "write"
    orgs: tuple[str, ...] = ()


@dataclass
class Repo:
    kind: str
    name: str
    private: bool = False
    sdk: str | None = None
    commits: list[tuple[str, str, dict[str, bytes]]] = field(default_factory=list)  # (sha, message, files)
    authors: list[str] = field(default_factory=list)  # of the commits

    @property
    def files(self) -> dict[str, bytes]:
        return self.commits[-1][2]

    def at(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """(sha, files) of a commit, a branch or the start of a sha."""
        if revision == "main":
            return self.commits[-1][0], self.commits[-1][2]
        return next(((sha, files) for sha, _, files in self.commits if sha == revision), None)

    def commit(self, message: str, files: dict[str, bytes], author: str = "hub") -> str:
        sha = hashlib.sha1(f"{self.name} {len(self.commits)} {message}".encode()).hexdigest()
        self.commits.append((sha, message, files))
        self.authors.append(author)
        return sha


class Hub:
    """The server's memory. `tokens` says who may come in; `requests` what was asked."""

    def __init__(self) -> None:
        self.tokens: dict[str, User] = {}
        self.repos: dict[tuple[str, str], Repo] = {}
        self.large: dict[str, bytes] = {}
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.free_bytes = 1 << 40
        self.endpoint = self.storage = ""
        self.provider: Provider | None = None  # of "Sign in with Hugging Face"
        self.lock = threading.RLock()

    def repo(self, name: str, kind: str = "model") -> Repo:
        return self.repos[kind, name]

    def add_repo(self, name: str, files: dict[str, bytes] | None = None, *, kind: str = "model", **facts: Any) -> Repo:
        repo = self.repos[kind, name] = Repo(kind, name, **facts)
        repo.commit("initial commit", {".gitattributes": b"*.safetensors filter=lfs\n"} | (files or {}))
        return repo

    def fault(self, where: str, **facts: Any) -> Fault:
        self.faults.append(Fault(where, **facts))
        return self.faults[-1]

    def asked(self, pattern: str) -> list[Request]:
        """The requests whose `METHOD target` matches."""
        return [request for request in self.requests if re.search(pattern, f"{request.method} {request.target}")]


@contextmanager
def serve() -> Iterator[Hub]:
    """A hub that answers at `hub.endpoint`, and its storage at `hub.storage`, until the block ends."""
    hub = Hub()
    handler = type("Handler", (_Handler,), dict(hub=hub))
    servers = [_Server(("127.0.0.1", 0), handler) for _ in range(2)]
    hub.endpoint, hub.storage = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    for server in servers:
        threading.Thread(target=server.serve_forever, kwargs=dict(poll_interval=0.05), daemon=True).start()
    try:
        yield hub
    finally:
        for event in (event for fault in hub.faults for event in (fault.hold, fault.stalls) if event is not None):
            event.set()
        for server in servers:
            server.shutdown()
            server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads, block_on_close = True, False

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a client may leave at any time
            super().handle_error(request, client_address)


class _Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, message: str, code: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.headers = status, message, code, headers or {}


REPO = r"(?P<kind>models|spaces)/(?P<name>[^/]+/[^/]+|[^/]+)"
PLACE = r"/(?:(?P<kind>spaces)/)?(?P<name>[^/]+/[^/]+)"
ROUTES = (
    (r"GET /api/whoami-v2", "whoami"),
    (r"POST /api/repos/create", "create"),
    (r"POST /api/validate-yaml", "validate"),
    (rf"POST /api/{REPO}/preupload/(?P<revision>[^/]+)", "preupload"),
    (rf"POST /api/{REPO}/commit/(?P<revision>[^/]+)", "commit"),
    (rf"POST /api/{REPO}/super-squash/(?P<revision>[^/]+)", "squash"),
    (rf"GET /api/{REPO}/tree/(?P<revision>[^/]+)(?:/(?P<path>.*))?", "tree"),
    (rf"POST /api/{REPO}/paths-info/(?P<revision>[^/]+)", "paths"),
    (rf"GET /api/{REPO}/runtime", "runtime"),
    (rf"GET /api/{REPO}(?:/revision/(?P<revision>[^/]+))?", "info"),
    (rf"POST {PLACE}\.git/info/lfs/objects/batch", "batch"),
    (r"PUT /upload/(?P<oid>\w+)", "upload"),
    (r"POST /verify/(?P<oid>\w+)", "verify"),
    (r"(?:GET|HEAD) /signed/(?P<oid>\w+)", "signed"),
    (r"GET /\.well-known/openid-configuration", "provider_configuration"),
    (r"GET /oauth/jwks", "provider_keys"),
    (r"GET /oauth/authorize", "authorize"),
    (r"POST /oauth/token", "exchange"),
    (rf"(?:GET|HEAD) {PLACE}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", "resolve"),
)


class _Handler(BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm = "HTTP/1.1", True
    hub: Hub

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_HEAD = do_DELETE = do_GET

    def log_message(self, *words: Any) -> None:
        pass

    # ------------------------------------------------------------------------------------------ frame

    def _answer(self) -> None:
        self.request_seen = Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()})
        self.hub.requests.append(self.request_seen)
        url = urlsplit(self.path)
        self.query, path = parse_qs(url.query), unquote(url.path)
        fault = self._next_fault(f"{self.command} {path}")
        try:
            if fault is not None and self._strikes(fault):
                return self._cut()
            self.request_seen.body = self._body()
            if fault is not None and fault.status:
                raise _Refused(fault.status, fault.message, fault.code, fault.headers)
            status, headers, body = self._route(f"{self.command} {path}")
        except _Refused as refused:
            error = json.dumps({"error": refused.message} if refused.message else {}).encode()
            told = {"X-Error-Code": refused.code, "X-Error-Message": refused.message.replace("\n", " ")}
            headers = {name: text for name, text in told.items() if text} | refused.headers
            return self._send(refused.status, {"Content-Type": "application/json"} | headers, error)
        if fault is not None and fault.loses_answer:
            return self._cut()
        self._send(status, headers, body, fault)
        self.close_connection = self.close_connection or (fault is not None and fault.breaks_after >= 0)

    def _next_fault(self, what: str) -> Fault | None:
        with self.hub.lock:
            for fault in self.hub.faults:
                if fault.times > 0 and re.search(fault.where, what):
                    fault.times -= 1
                    return fault
        return None

    def _strikes(self, fault: Fault) -> bool:
        """Whether the connection is cut before an answer."""
        if fault.hold is not None:
            fault.hold.wait(PATIENCE_SECONDS)
        if fault.drop_after >= 0:
            self.request_seen.body = self.rfile.read(min(fault.drop_after, int(self.headers.get("Content-Length", 0))))
            return True
        return False

    def _cut(self) -> None:
        """End the connection as a lost network does: with a reset, without a word."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close(), self.wfile.close()
        self.connection.close()

    def finish(self) -> None:
        if not self.wfile.closed:
            super().finish()

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _send(self, status: int, headers: dict[str, str], body: bytes, fault: Fault | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault is not None and fault.stalls is not None:
            fault.stalls.wait(PATIENCE_SECONDS)
        if fault is not None and fault.drip:
            for n in range(len(body)):
                time.sleep(fault.drip)
                self.wfile.write(body[n : n + 1])
            return
        self.wfile.write(body if fault is None or fault.breaks_after < 0 else body[: fault.breaks_after])

    def _route(self, what: str) -> tuple[int, dict[str, str], bytes]:
        for pattern, name in ROUTES:
            if match := re.fullmatch(pattern, what):
                with self.hub.lock:
                    answer = getattr(self, f"_{name}")(**match.groupdict())
                if isinstance(answer, tuple):
                    return answer
                return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()
        raise _Refused(404, "Not found")

    # ------------------------------------------------------------------------------------------ who may do what

    def _user(self) -> User | None:
        word = self.request_seen.headers.get("authorization", "")
        if not word:
            return None
        if word.removeprefix("Bearer ") not in self.hub.tokens:
            raise _Refused(401, "Invalid credentials in Authorization header")
        return self.hub.tokens[word.removeprefix("Bearer ")]

    def _writer(self, namespace: str) -> User:
        user = self._user()
        if user is None:
            raise _Refused(401, "Invalid username or password.")
        if user.role == "read" or namespace not in (user.name, *user.orgs):
            raise _Refused(403, f"You don't have the rights to write under the namespace {namespace!r}")
        return user

    def _find(self, kind: str | None, name: str) -> Repo:
        user = self._user()
        repo = self.hub.repos.get(((kind or "models").rstrip("s"), name))
        may_see = repo is not None and (not repo.private or (user and name.split("/")[0] in (user.name, *user.orgs)))
        if not may_see:
            raise _Refused(404 if user else 401, "Repository not found", "RepoNotFound")
        return repo

    def _files(self, kind: str | None, name: str, revision: str) -> tuple[Repo, str, dict[str, bytes]]:
        repo = self._find(kind, name)
        found = repo.at(revision)
        if found is None:
            raise _Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return repo, *found

    def _json(self) -> Any:
        return json.loads(self.request_seen.body)

    # ------------------------------------------------------------------------------------------ answers

    def _whoami(self) -> Any:
        user = self._user()
        if user is None:
            raise _Refused(401, "Invalid username or password.")
        orgs = [{"name": org, "roleInOrg": "write"} for org in user.orgs]
        token = {"displayName": "test", "role": user.role}
        return {"type": "user", "id": "1", "name": user.name, "orgs": orgs, "auth": {"accessToken": token}}

    def _create(self) -> Any:
        wanted, user = self._json(), self._user()
        name = f"{wanted.get('organization') or (user.name if user else '')}/{wanted['name']}"
        kind = wanted.get("type", "model")
        self._writer(name.split("/")[0])
        url = f"{self.hub.endpoint}/{'spaces/' if kind == 'space' else ''}{name}"
        if (kind, name) in self.hub.repos:
            answer = json.dumps({"error": f"You already created this {kind} repo", "url": url}).encode()
            return 409, {"Content-Type": "application/json"}, answer
        is_private = wanted.get("visibility") == "private" or bool(wanted.get("private"))
        self.hub.add_repo(name, kind=kind, private=is_private, sdk=wanted.get("sdk"))
        return {"url": url, "name": name, "id": "1"}

    def _validate(self) -> Any:
        match = re.match(r"---\n(.*?)\n---", self._json()["content"], re.DOTALL)
        try:
            said = yaml.safe_load(match.group(1)) if match else {}
        except yaml.YAMLError as error:
            said, faults = {}, [f"YAML: {error}"]
        else:
            faults = []
        if "license" in said and said["license"] not in LICENCES:
            faults.append(f'"license" must be one of {", ".join(sorted(LICENCES))}')
        languages = said.get("language", [])
        for language in [languages] if isinstance(languages, str) else languages:
            if not re.fullmatch(r"[a-z]{2,3}|multilingual|code", str(language)):
                faults.append(f'"language[0]" must only contain lowercase characters (got {language})')
        if faults:
            answer = {"errors": [{"message": fault} for fault in faults], "warnings": []}
            return 400, {"Content-Type": "application/json"}, json.dumps(answer).encode()
        return {"errors": [], "warnings": []}

    def _preupload(self, kind: str, name: str, revision: str) -> Any:
        self._writer(name.split("/")[0])
        _, _, files = self._files(kind, name, revision)
        answers = []
        for file in self._json()["files"]:
            is_large = bool(LARGE.search(file["path"]))
            known = files.get(file["path"])
            oid = None if known is None else _sha256(known) if is_large else _git_oid(known)
            mode = "lfs" if is_large else "regular"
            answers.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return {"files": answers}

    def _batch(self, kind: str | None, name: str) -> Any:
        self._writer(name.split("/")[0])
        self._find(kind, name)
        objects = []
        for wanted in self._json()["objects"]:
            answer = {"oid": wanted["oid"], "size": wanted["size"]}
            if wanted["size"] > self.hub.free_bytes:
                answer["error"] = {
                    "code": 403,
                    "message": "Private repository storage limit reached, please upgrade your plan",
                }
            elif wanted["oid"] not in self.hub.large:
                signed = f"{self.hub.storage}/upload/{wanted['oid']}?X-Signature=s3cr3t"
                verify = {"href": f"{self.hub.endpoint}/verify/{wanted['oid']}"}
                answer["actions"] = {"upload": {"href": signed}, "verify": verify}
            objects.append(answer)
        return {"transfer": "basic", "objects": objects}

    def _upload(self, oid: str) -> Any:
        if _sha256(self.request_seen.body) != oid:
            raise _Refused(400, "The bytes do not have this sha256")
        self.hub.large[oid] = self.request_seen.body
        return 200, {}, b""

    def _verify(self, oid: str) -> Any:
        if self._user() is None or self._json()["size"] != len(self.hub.large.get(oid, b"")):
            raise _Refused(404, "No such upload")
        return {}

    def _commit(self, kind: str, name: str, revision: str) -> Any:
        author = self._writer(name.split("/")[0])
        repo, _, files = self._files(kind, name, revision)
        lines = [json.loads(line) for line in self.request_seen.body.splitlines()]
        after, message = dict(files), ""
        for line in lines:
            key, value = line["key"], line["value"]
            if key == "header":
                message = value["summary"]
            elif key == "file":
                after[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                if value["oid"] not in self.hub.large:
                    raise _Refused(400, f"LFS pointer pointed to a file that does not exist: {value['path']}")
                after[value["path"]] = self.hub.large[value["oid"]]
            elif key in ("deletedFile", "deletedFolder"):
                gone = value["path"].rstrip("/")
                after = {path: data for path, data in after.items() if path != gone and not path.startswith(gone + "/")}
        sha = repo.commit(message, after, author.name)
        return {"success": True, "commitOid": sha, "commitUrl": f"{self.hub.endpoint}/{name}/commit/{sha}"}

    def _squash(self, kind: str, name: str, revision: str) -> Any:
        repo, _, files = self._files(kind, name, revision)
        author = self._writer(name.split("/")[0]).name
        repo.commits, repo.authors = [], []
        return {"commitOid": repo.commit(self._json()["message"], files, author)}

    def _provider_configuration(self) -> Any:
        return self._provider().configuration()

    def _provider_keys(self) -> Any:
        return self._provider().keys()

    def _authorize(self) -> Any:
        try:
            page = self._provider().consent({name: values[0] for name, values in self.query.items()})
        except (ValueError, KeyError) as error:
            raise _Refused(400, str(error)) from None
        return 200, {"Content-Type": "text/html"}, page.encode()

    def _exchange(self) -> Any:
        asked = {name: values[0] for name, values in parse_qs(self.request_seen.body.decode()).items()}
        try:
            issued = self._provider().exchange(self.request_seen.headers.get("authorization", ""), asked)
        except ValueError as error:
            raise _Refused(400, str(error)) from None
        self.hub.tokens[issued["access_token"]] = User(self._provider().visitor)
        return issued

    def _provider(self) -> Provider:
        if self.hub.provider is None:
            raise _Refused(404, "Nobody signs in here")
        return self.hub.provider

    def _info(self, kind: str, name: str, revision: str | None) -> Any:
        repo, sha, files = self._files(kind, name, revision or "main")
        siblings = [
            {"rfilename": path} | (_entry(path, data) if self.query.get("blobs") else {})
            for path, data in files.items()
        ]
        for sibling in siblings:
            if "lfs" in sibling:
                sibling["lfs"]["sha256"] = sibling["lfs"]["oid"]
            sibling["blobId"] = sibling.pop("oid", None)
        common = {"_id": "1", "id": name, "sha": sha, "private": repo.private, "siblings": siblings, "tags": []}
        return common | {
            "author": name.split("/")[0],
            "gated": False,
            "sdk": repo.sdk,
            "runtime": {"stage": "BUILDING"},
        }

    def _runtime(self, kind: str, name: str) -> Any:
        self._find(kind, name)
        return {"stage": "BUILDING", "hardware": {"current": None, "requested": "cpu-basic"}}

    def _tree(self, kind: str, name: str, revision: str, path: str | None) -> Any:
        _, _, files = self._files(kind, name, revision)
        start = f"{path}/" if path else ""
        inside = {file: data for file, data in files.items() if file.startswith(start)}
        if path and not inside:
            raise _Refused(404, f"{path} does not exist", "EntryNotFound")
        if self.query.get("recursive", ["false"])[0].lower() in ("true", "1"):
            return [{"type": "file"} | _entry(file, data) for file, data in inside.items()]
        folders = sorted({start + file[len(start) :].split("/")[0] for file in inside if "/" in file[len(start) :]})
        flat = [{"type": "file"} | _entry(file, data) for file, data in inside.items() if "/" not in file[len(start) :]]
        return [{"type": "directory", "oid": "0" * 40, "size": 0, "path": folder} for folder in folders] + flat

    def _paths(self, kind: str, name: str, revision: str) -> Any:
        _, _, files = self._files(kind, name, revision)
        wanted = (
            self._json()["paths"]
            if self.request_seen.body[:1] == b"{"
            else parse_qs(self.request_seen.body.decode())["paths"]
        )
        return [{"type": "file"} | _entry(path, files[path]) for path in wanted if path in files]

    def _resolve(self, kind: str | None, name: str, revision: str, path: str) -> Any:
        _, sha, files = self._files(kind, name, revision)
        about = {"X-Repo-Commit": sha, "Accept-Ranges": "bytes"}
        if path not in files:
            raise _Refused(404, "Entry not found", "EntryNotFound", about)
        data = files[path]
        if LARGE.search(path):
            oid = _sha256(data)
            self.hub.large[oid] = data
            linked = {"X-Linked-Size": str(len(data)), "X-Linked-ETag": f'"{oid}"'}
            return 302, about | linked | {"Location": f"{self.hub.storage}/signed/{oid}?X-Signature=s3cr3t"}, b""
        return self._range(data, about | {"ETag": f'"{_git_oid(data)}"'})

    def _signed(self, oid: str) -> Any:
        return self._range(self.hub.large[oid], {"ETag": f'"{oid}"', "Accept-Ranges": "bytes"})

    def _range(self, data: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.request_seen.headers.get("range", ""))
        if not match:
            return 200, headers, data
        start, end = int(match[1]), min(int(match[2] or len(data) - 1), len(data) - 1)
        if start >= len(data):
            raise _Refused(416, "Range not satisfiable", headers={"Content-Range": f"bytes */{len(data)}"})
        return 206, headers | {"Content-Range": f"bytes {start}-{end}/{len(data)}"}, data[start : end + 1]


def _entry(path: str, data: bytes) -> dict[str, Any]:
    entry = {"path": path, "size": len(data), "oid": _git_oid(data)}
    if LARGE.search(path):
        entry["lfs"] = {"oid": _sha256(data), "size": len(data), "pointerSize": 134}
    return entry


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _git_oid(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
