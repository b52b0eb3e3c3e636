"""What a run left in its workspace."""
import base64
import json
import os

import confine
import frames


def collect_files(identity, cap):
    """The regular files of the workspace, read as the user that wrote them; links are never followed."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            confine.become(identity)
            frames.write_all(write_end, json.dumps(read_workspace(cap)).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    chunks = []
    while chunk := os.read(read_end, 1 << 20):
        chunks.append(chunk)
    os.waitpid(pid, 0)
    return json.loads(b"".join(chunks)) if chunks else ({}, ["the workspace could not be read"])


def read_workspace(cap):
    files, left_out, total = {}, [], 0
    for folder, _, names in os.walk("/workspace", followlinks=False):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), "/workspace")
            try:
                path.encode("utf-8")
                descriptor = os.open(os.path.join("/workspace", path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            except (OSError, UnicodeEncodeError):
                left_out.append(path.encode("utf-8", "replace").decode())
                continue
            with open(descriptor, "rb") as file:
                status = os.fstat(descriptor)
                if status.st_mode & 0o170000 != 0o100000 or total + status.st_size > cap:
                    left_out.append(path)
                    continue
                content = file.read(cap - total)
            total += len(content)
            files[path] = base64.b64encode(content).decode()
    return files, left_out
