"""A call of the HTTP API, written out in the languages of those who will make it: ready to be pasted and run."""

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request. `body` is JSON; a call with a body is a POST."""

    url: str
    headers: Mapping[str, str]
    body: str = ""

    @property
    def all_headers(self) -> dict[str, str]:
        """The headers, with that of the body."""
        return {**self.headers, **({"Content-Type": "application/json"} if self.body else {})}


def legacy(base: str, username: str, password: str, action: str, **values: str) -> Call:
    """Return a call of the legacy API at the address `base`."""
    query = urlencode({"action": action, "username": username, "password": password, **values}, safe=":")
    return Call(f"{base.rstrip('/')}/api?{query}", {})


def legacy_send(base: str, username: str, password: str, destination: str, text: str) -> dict[str, str]:
    """Return how a message is sent by the legacy API, by language."""
    values = {"recipient": destination, "messagetype": "SMS:TEXT", "messagedata": text}
    return in_all(legacy(base, username, password, "sendmessage", **values))


def modern(base: str, path: str, key: str, body: object = None, headers: Mapping[str, str] | None = None) -> Call:
    """Return a call of the modern API with an API key."""
    written = json.dumps(body, ensure_ascii=False) if body is not None else ""
    return Call(f"{base.rstrip('/')}/api/v1/{path}", {"Authorization": f"Bearer {key}", **(headers or {})}, written)


def in_all(call: Call) -> dict[str, str]:
    """Return a call in all languages, by the language's name."""
    return {name: write(call) for name, write in LANGUAGES.items()}


def _curl(call: Call) -> str:
    words = [shlex.quote(call.url)]
    words += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in call.all_headers.items()]
    words += [f"-d {shlex.quote(call.body)}"] if call.body else []
    return "curl " + " \\\n  ".join(words)


def _python(call: Call) -> str:
    lines = ["import urllib.request", "", f"request = urllib.request.Request({_python_quoted(call.url)})"]
    lines += [f"request.add_header({_python_quoted(name)}, {_python_quoted(value)})" for name, value in call.all_headers.items()]
    lines += [f'request.data = {_python_quoted(call.body)}.encode("utf-8")'] if call.body else []
    return "\n".join([*lines, "with urllib.request.urlopen(request) as answer:", "    print(answer.read().decode())"])


def _php(call: Call) -> str:
    lines = ["<?php", f"$request = curl_init({_php_quoted(call.url)});", "curl_setopt($request, CURLOPT_RETURNTRANSFER, true);"]
    headers = ", ".join(_php_quoted(f"{name}: {value}") for name, value in call.all_headers.items())
    lines += [f"curl_setopt($request, CURLOPT_HTTPHEADER, [{headers}]);"] if headers else []
    lines += [f"curl_setopt($request, CURLOPT_POSTFIELDS, {_php_quoted(call.body)});"] if call.body else []
    return "\n".join([*lines, "echo curl_exec($request);"])


def _csharp(call: Call) -> str:
    lines = ["using System.Net.Http;", "using System.Text;", "", "using var client = new HttpClient();"]
    lines += [f"client.DefaultRequestHeaders.Add({_quoted(name)}, {_quoted(value)});" for name, value in call.headers.items()]
    if call.body:
        lines += [f'var body = new StringContent({_quoted(call.body)}, Encoding.UTF8, "application/json");']
    asked = f"PostAsync({_quoted(call.url)}, body)" if call.body else f"GetAsync({_quoted(call.url)})"
    return "\n".join([*lines, f"var answer = await client.{asked};", "Console.WriteLine(await answer.Content.ReadAsStringAsync());"])


def _java(call: Call) -> str:
    asked = [f"URI.create({_quoted(call.url)}))"]
    asked += [f".header({_quoted(name)}, {_quoted(value)})" for name, value in call.all_headers.items()]
    asked += [f".POST(HttpRequest.BodyPublishers.ofString({_quoted(call.body)}))"] if call.body else []
    builder = "\n            ".join([*asked, ".build();"])
    return "\n".join(
        [
            "import java.net.URI;",
            "import java.net.http.*;",
            "",
            "public class Example {",
            "    public static void main(String[] arguments) throws Exception {",
            f"        var request = HttpRequest.newBuilder({builder}",
            "        var answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());",
            "        System.out.println(answer.body());",
            "    }",
            "}",
        ]
    )


def _quoted(text: str) -> str:
    """Return a text as C# and Java write it: their escapes are those of JSON, by units of UTF-16."""
    return json.dumps(text)


def _python_quoted(text: str) -> str:
    """Return a text as Python writes it; an escape there is a whole character."""
    return json.dumps(text, ensure_ascii=False)


def _php_quoted(text: str) -> str:
    """Return a text in PHP's single quotes, where nothing is replaced."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


LANGUAGES: dict[str, Callable[[Call], str]] = {"curl": _curl, "Python": _python, "PHP": _php, "C#": _csharp, "Java": _java}
