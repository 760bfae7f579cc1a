#!/usr/bin/env python3
"""A scripted model server on loopback, for scripts/test-agents: python3 tests/agents/model.py PORT LOG

It speaks what the programs speak: POST …/messages (Anthropic), …/responses and …/chat/completions (OpenAI), …:generateContent and
…:streamGenerateContent (Gemini). To a polecat's first prompt it answers with one of STEPS for each tool result; to one whose bead says
"Wait" with WAIT, unless the conversation holds an earlier prompt. Anything else is answered with "ok". LOG gets a line for each.
"""
import json, re, sys, uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WORK = re.compile(r"On your hook is the bead (\S+):")
WRITE = None  # a file of its own, through the tool for it where there is one
ASK = "make check-it"  # nothing allows it
STEPS = ["gt prime", WRITE, ASK, "git add -A && git commit -q -m work", "gt done --exit"]
WAIT = ["gt prime", "sleep 600"]
SHELLS = ["bash", "run_shell_command", "exec_command", "shell_command", "shell", "local_shell"]


def texts(content):
    if isinstance(content, str): return content
    return "\n".join(part.get("text", "") for part in content or [] if isinstance(part, dict))


def heard(api, body):
    """The last prompt with work in it, whether another came after it, the number of tool results since, and the tools."""
    said = []  # "work" | "other" | "result"
    def user(text):
        if text.strip(): said.append(("work" if WORK.search(text) else "other", text))
    if api == "messages":
        for message in body.get("messages", []):
            parts = message["content"]
            results = [p for p in parts if isinstance(p, dict) and p.get("type") == "tool_result"] if isinstance(parts, list) else []
            said += [("result", "")] * len(results)
            if message["role"] == "user" and not results: user(texts(parts))
        tools = body.get("tools") or []
    elif api == "chat":
        for message in body.get("messages", []):
            if message["role"] == "tool": said.append(("result", ""))
            elif message["role"] == "user": user(texts(message["content"]))
        tools = [tool.get("function", tool) for tool in body.get("tools") or []]
    elif api == "responses":
        for item in body.get("input", []):
            if item.get("type", "message").endswith("_output"): said.append(("result", ""))
            elif item.get("role") == "user": user(texts(item["content"]))
        tools = body.get("tools") or []
    else:
        for message in body.get("contents", []):
            parts = message.get("parts", [])
            if any("functionResponse" in part for part in parts): said.append(("result", ""))
            elif message.get("role") == "user": user(texts(parts))
        tools = [one for tool in body.get("tools") or [] for one in tool.get("functionDeclarations", [])]
    prompts = [at for at, (kind, _) in enumerate(said) if kind == "work"]
    last = prompts[-1] if prompts else None
    results = sum(kind == "result" for kind, _ in said[last:]) if last is not None else 0
    prompt = said[last][1] if last is not None else next((text for kind, text in reversed(said) if kind == "other"), "")
    return prompt, last is not None, results, len(prompts), tools


def shell(tools, command):
    named = {(tool.get("name") or tool.get("type") or "").lower(): tool for tool in tools}
    name = next((name for name in SHELLS if name in named), None)
    if not name: return None
    tool = named[name]
    schema = tool.get("input_schema") or tool.get("parameters") or tool.get("parametersJsonSchema") or {}
    args = {}
    for key, kind in schema.get("properties", {}).items():
        if key in ("command", "cmd"):
            args[key] = ["bash", "-c", command] if str(kind.get("type")).lower() == "array" else command
        elif key == "sandbox_permissions" and command == ASK:
            args.update({key: "require_escalated", "justification": "May I check it?"})
        elif key in schema.get("required", []):
            args[key] = "run a command"
    return tool.get("name") or tool.get("type"), args or {"command": command}


def write(tools, text):
    """A file in the polecat's worktree, whose path the program itself tells in its request."""
    worktree = re.search(r"(/[^\s\"'`\\\\]*/polecats/\w+)", text).group(1)
    path, content = f"{worktree}/{worktree.rsplit('/', 1)[-1]}.txt", "work\n"
    for tool in tools:
        if (tool.get("name") or "").lower() in ("write", "write_file"):
            schema = tool.get("input_schema") or tool.get("parameters") or tool.get("parametersJsonSchema") or {}
            key = next(key for key in schema.get("properties", {}) if key.lower().replace("_", "") == "filepath")
            return tool["name"], {key: path, "content": content}
    return shell(tools, f"echo work >> {path}")


class Model(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_): pass

    def plain(self, value):
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD": self.wfile.write(data)

    def do_HEAD(self): self.plain({})

    def do_GET(self): self.plain({"object": "list", "data": [], "models": []})

    def event(self, value, name=None):
        data = value if isinstance(value, str) else json.dumps(value)
        self.wfile.write(((f"event: {name}\n" if name else "") + f"data: {data}\n\n").encode())
        self.wfile.flush()

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
        path = self.path.split("?")[0]
        if "ount" in path.rsplit("/", 1)[-1]: return self.plain({"input_tokens": 9, "totalTokens": 9})
        api = next((api for api in ("messages", "responses", "chat") if f"/{api}" in path), "gemini" if "enerateContent" in path else None)
        if not api: return self.plain({})
        prompt, works, results, prompts, tools = heard(api, body)
        text, call = "ok", None
        if tools and works:
            open(sys.argv[2], "a").write(json.dumps({"prompt": prompt, "prompts": prompts, "results": results}) + "\n")
            steps = WAIT if "Wait" in prompt and prompts == 1 else STEPS
            step = steps[results] if results < len(steps) else ""
            call = write(tools, json.dumps(body)) if step is WRITE else shell(tools, step) if step else None
            text = "" if call else "done"
        stream = "stream" in path if api == "gemini" else body.get("stream")
        if stream:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("connection", "close")
            self.end_headers()
            self.close_connection = True
        getattr(self, "say_" + api)(body, stream, text, call, uuid.uuid4().hex[:16])

    def say_messages(self, body, stream, text, call, uid):
        content = [{"type": "text", "text": text}] if text else []
        if call: content.append({"type": "tool_use", "id": f"toolu_{uid}", "name": call[0], "input": call[1]})
        stop, usage = "tool_use" if call else "end_turn", {"input_tokens": 9, "output_tokens": 9}
        message = {"id": f"msg_{uid}", "type": "message", "role": "assistant", "model": body.get("model"), "stop_sequence": None, "usage": usage}
        if not stream: return self.plain({**message, "content": content, "stop_reason": stop})
        self.event({"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}, "message_start")
        for at, part in enumerate(content):
            empty = {**part, "input": {}} if call and part["type"] == "tool_use" else {**part, "text": ""}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(part["input"])} if part["type"] == "tool_use" else {"type": "text_delta", "text": part["text"]}
            self.event({"type": "content_block_start", "index": at, "content_block": empty}, "content_block_start")
            self.event({"type": "content_block_delta", "index": at, "delta": delta}, "content_block_delta")
            self.event({"type": "content_block_stop", "index": at}, "content_block_stop")
        self.event({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": usage}, "message_delta")
        self.event({"type": "message_stop"}, "message_stop")

    def say_chat(self, body, stream, text, call, uid):
        base = {"id": uid, "created": 1, "model": body.get("model"), "object": "chat.completion.chunk"}
        calls = [{"index": 0, "id": f"call_{uid}", "type": "function", "function": {"name": call[0], "arguments": json.dumps(call[1])}}] if call else None
        said = {"role": "assistant", "content": text, **({"tool_calls": calls} if calls else {})}
        finish, usage = "tool_calls" if call else "stop", {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
        if not stream: return self.plain({**base, "object": "chat.completion", "usage": usage, "choices": [{"index": 0, "message": said, "finish_reason": finish}]})
        self.event({**base, "choices": [{"index": 0, "delta": said, "finish_reason": None}]})
        self.event({**base, "usage": usage, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        self.event("[DONE]")

    def say_responses(self, body, stream, text, call, uid):
        part = {"type": "output_text", "text": text, "annotations": []}
        out = {"id": f"fc_{uid}", "type": "function_call", "status": "completed", "call_id": f"call_{uid}", "name": call[0], "arguments": json.dumps(call[1])} if call else \
            {"id": f"msg_{uid}", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
        usage = {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 9, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 18}
        answer = {"id": f"resp_{uid}", "object": "response", "created_at": 1, "model": body.get("model"), "status": "completed", "output": [out], "usage": usage, "error": None}
        if not stream: return self.plain(answer)
        number = iter(range(99))
        def event(kind, **more): self.event({"type": kind, "sequence_number": next(number), **more}, kind)
        event("response.created", response={**answer, "status": "in_progress", "output": [], "usage": None})
        event("response.output_item.added", output_index=0, item={**out, "status": "in_progress"})
        event("response.output_item.done", output_index=0, item=out)
        event("response.completed", response=answer)

    def say_gemini(self, body, stream, text, call, uid):
        part = {"functionCall": {"name": call[0], "args": call[1]}} if call else {"text": text}
        if (body.get("generationConfig") or {}).get("responseMimeType") == "application/json": part = {"text": "{}"}
        answer = {"candidates": [{"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": [part]}}], "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 9, "totalTokenCount": 18}}
        self.event(answer) if stream else self.plain(answer)


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Model).serve_forever()
