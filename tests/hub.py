"""A server on the loopback address that answers as the Hugging Face hub does, for one commit."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

COMMIT = "c0ffee" + "0" * 34


class Hub(ThreadingHTTPServer):
    """The hub: files by repository and name, and what was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, dict[str, bytes]] = {}
        self.truncated = False
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: Any) -> None: ...

    def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            body = body[: len(body) // 2] if self.server.truncated else body
            self.wfile.write(body)
            if self.server.truncated:
                self.close_connection = True

    def answer_json(self, value: Any) -> None:
        self.answer(json.dumps(value).encode(), Content_Type="application/json")

    def missing(self) -> None:
        self.answer(b"{}", 404, X_Error_Code="RepoNotFound")

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.path = self.path.partition("?")[0]
        self.server.asked.append(f"{self.command} {self.path}")
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(\w+))?", self.path):
            files = self.server.files.get(match[1])
            if files is None or match[2] not in (None, "main", COMMIT):
                return self.missing()
            siblings = [{"rfilename": name} for name in files]
            return self.answer_json({"id": match[1], "sha": COMMIT, "siblings": siblings})
        match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/(\w+)/(.+)", self.path)
        content = self.server.files.get(match[1], {}).get(match[3]) if match else None
        if content is None:
            return self.missing()
        etag = f'"{hashlib.sha256(content).hexdigest()}"'
        return self.answer(content, ETag=etag, X_Repo_Commit=COMMIT)

    def do_POST(self) -> None:
        self.path = self.path.partition("?")[0]
        self.server.asked.append(f"{self.command} {self.path}")
        length = self.headers.get("Content-Length")
        body = self.rfile.read(int(length)) if length else self.read_chunks()
        if self.headers.get("Authorization") != "Bearer hf_test":
            return self.answer(b"{}", 401)
        if self.path == "/api/validate-yaml":
            return self.answer_json({"errors": [], "warnings": []})
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked.get('organization', 'someone')}/{asked['name']}"
            self.server.files.setdefault(name, {})
            return self.answer_json({"url": f"{self.server.address}/{name}"})
        match = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(preupload|commit)/main", self.path)
        if match is None or match[1] not in self.server.files:
            return self.missing()
        if match[2] == "preupload":
            files = [
                {"path": f["path"], "uploadMode": "regular"} for f in json.loads(body)["files"]
            ]
            return self.answer_json({"files": [{**f, "shouldIgnore": False} for f in files]})
        for line in body.splitlines():
            entry = json.loads(line)
            if entry["key"] == "file":
                content = base64.b64decode(entry["value"]["content"])
                self.server.files[match[1]][entry["value"]["path"]] = content
        address = f"https://huggingface.co/{match[1]}/commit/{COMMIT}"
        return self.answer_json({"commitUrl": address, "commitOid": COMMIT, "success": True})

    def read_chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body


@contextmanager
def serve_hub() -> Iterator[Hub]:
    """Yield the hub while it answers."""
    with Hub() as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
