"""The Python side of a Pyodide child: runs one program, or serves as a solution, or judges one. Then it is done."""
import base64
import json
import os

import judge
import program


class HostTransport:
    """Messages by way of the host, which carries them between two children."""

    def __init__(self, host):
        self.host = host

    def send(self, message):
        self.host.send(json.dumps(message))

    def receive(self):
        return json.loads(self.host.receive())


def run_main(payload):
    memory = []
    status = program.run_program(payload, lambda: memory.append(True))
    result = {"exit": status, "outOfMemory": bool(memory)}
    if payload.get("collectFiles"):
        result["files"], result["leftOut"] = read_workspace(payload["fileBytes"])
    return result


def read_workspace(cap):
    files, left_out, total = {}, [], 0
    for folder, _, names in os.walk("/workspace"):
        for name in names:
            full = os.path.join(folder, name)
            path = os.path.relpath(full, "/workspace")
            if os.path.islink(full) or not os.path.isfile(full) or total + os.path.getsize(full) > cap:
                left_out.append(path)
                continue
            with open(full, "rb") as file:
                content = file.read()
            total += len(content)
            files[path] = base64.b64encode(content).decode()
    return files, left_out


def start(text, host):
    job = json.loads(text)
    os.makedirs("/workspace", exist_ok=True)
    if job["mode"] == "judge":
        return json.dumps(judge.judge(HostTransport(host), job["hidden"], host.tested))
    program.prepare_interpreter()
    program.prepare_run({**job["payload"], "stdin": ""})
    if job["mode"] == "solution":
        program.serve_solution(job["payload"], HostTransport(host))
        return "{}"
    return json.dumps(run_main(job["payload"]))
