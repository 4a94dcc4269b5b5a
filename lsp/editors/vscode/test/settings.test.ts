import assert from "node:assert/strict";
import { test } from "node:test";
import { forServer, words } from "../src/settings";

function settings(values: Record<string, unknown>): { get<T>(name: string): T | undefined } {
  return { get: <T>(name: string) => values[name] as T | undefined };
}

test("the server is told all that concerns it, and what is not set as it is by default", () => {
  assert.deepEqual(forServer(settings({ "server.path": "/x", "trace.server": "verbose" })), {
    clusters: "",
    user: "",
    env: {},
    bindings: {},
    hints: { templates: true, defaults: false, types: false },
    cluster: { enabled: false },
  });
  const all = {
    clusters: "/c.json",
    user: "bob",
    env: { A: "1" },
    bindings: { folder: "/x" },
    "hints.templates": false,
    "hints.defaults": true,
    "hints.types": true,
    "cluster.enabled": true,
  };
  assert.deepEqual(forServer(settings(all)), {
    clusters: "/c.json",
    user: "bob",
    env: { A: "1" },
    bindings: { folder: "/x" },
    hints: { templates: false, defaults: true, types: true },
    cluster: { enabled: true },
  });
});

test("a log is written if a file is named for it", () => {
  assert.deepEqual(words(settings({})), ["lsp"]);
  assert.deepEqual(words(settings({ "server.log": " " })), ["lsp"]);
  assert.deepEqual(words(settings({ "server.log": "/tmp/a b" })), ["lsp", "--log", "/tmp/a b"]);
});
