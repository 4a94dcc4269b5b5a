/** The built extension in the stand-in for VS Code, with programs that are not there, do not serve, or do. */

import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { after, before, beforeEach, test } from "node:test";
import manifest from "../package.json";
import { Editor, until } from "./editor";

interface Extension {
  activate(context: { subscriptions: { dispose(): unknown }[] }): Promise<void>;
  deactivate(): Promise<void>;
}

interface Message {
  readonly method: string;
  readonly params: Record<string, unknown>;
}

const folder = mkdtempSync(path.join(tmpdir(), "aurora-extension-"));
const record = path.join(folder, "record");
const editor = new Editor();
const context = { subscriptions: [] as { dispose(): unknown }[] };
let extension: Extension;

function program(name: string, script: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  return file;
}

const serves = program(
  "serves",
  `[ "$2" = --help ] && exit 0\nexec "${process.execPath}" "${path.join(__dirname, "fake-server.js")}" "$@"`,
);

function messages(method: string): Message[] {
  const lines = readFileSync(record, "utf8").split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as Message).filter((message) => message.method === method);
}

/** Whether a server runs, and its commands are there. */
function serving(): boolean {
  return status() === "Aurora 9.9.9" && editor.commands.has("aurora.inspect");
}

/** What the status bar says. */
function status(): string {
  return String(editor.statuses.at(-1)?.["text"]);
}

function lastShown(): string {
  return editor.shown.at(-1)?.text ?? "";
}

async function use(file: string): Promise<void> {
  editor.settings.set("aurora.server.path", file);
  await editor.run("aurora.restartServer");
}

before(async () => {
  writeFileSync(record, "");
  process.env["FAKE_SERVER_RECORD"] = record;
  for (const [name, { default: value }] of Object.entries(manifest.contributes.configuration.properties)) {
    editor.settings.set(name, value);
  }
  editor.settings.set("aurora.server.path", path.join(folder, "nowhere"));
  editor.install();
  extension = require(path.join(__dirname, "..", "dist", "extension.js")) as Extension;
  await extension.activate(context);
});

after(async () => {
  await extension.deactivate();
  context.subscriptions.forEach((it) => it.dispose());
  // A server that was just told to end may still write its last words.
  rmSync(folder, { recursive: true, maxRetries: 50, retryDelay: 20 });
});

beforeEach(() => {
  editor.shown.length = 0;
  editor.choose = () => undefined;
});

test("a program that is not there is told, with what helps", async () => {
  await use(path.join(folder, "nowhere"));
  assert.match(lastShown(), /names .*nowhere, which is no program/);
  assert.deepEqual(editor.shown.at(-1)?.choices, ["Choose Program…", "Open Settings", "Show Log"]);
  assert.equal(editor.shown.length, 1);
  assert.equal(status(), "Aurora: no language server");
  assert.match(editor.channels.get("Aurora")?.lines.join("\n") ?? "", /which is no program/);
});

test("every command of the manifest is there, also without a server", async () => {
  for (const { command } of manifest.contributes.commands) {
    assert.ok(editor.commands.has(command), command);
  }
  await editor.run("aurora.inspect");
  assert.equal(lastShown(), "Aurora's language server does not run.");
});

test("a program that has no language server is told, with its own words", async () => {
  await use(program("old", "echo \"error: unrecognized subcommand 'lsp'\" >&2; exit 2"));
  assert.match(lastShown(), /old has no language server: error: unrecognized subcommand 'lsp'/);
  assert.equal(status(), "Aurora: no language server");
});

test("a server that ends before it serves is told once and left alone", async () => {
  const starts = path.join(folder, "starts");
  await use(program("ends", `[ "$2" = --help ] && exit 0\necho x >> ${starts}\nexit 7`));
  await until("the failure", () => editor.shown.some((it) => /ends lsp did not start/.test(it.text)));
  assert.equal(readFileSync(starts, "utf8"), "x\n");
  assert.equal(status(), "Aurora: no language server");
});

test("a program that is set is used at once", async () => {
  editor.set("aurora.server.path", path.join(folder, "elsewhere"));
  await until("the failure", () => /names .*elsewhere, which/.test(lastShown()));
});

test("a button lets the person set the program", async () => {
  const chosen: unknown[] = [];
  editor.commands.set("workbench.action.openSettings", (name) => chosen.push(name));
  editor.choose = (_text, choices) => choices.find((it) => it === "Open Settings");
  await use(path.join(folder, "nowhere"));
  await until("the settings", () => chosen.length > 0);
  assert.deepEqual(chosen, ["aurora.server.path"]);
});

test("a program that serves is started, with the settings", async () => {
  editor.set("aurora.hints.defaults", true);
  await use(serves);
  assert.deepEqual(editor.shown, []);
  assert.equal(status(), "Aurora 9.9.9");
  const { params } = messages("initialize").at(-1) as Message;
  assert.deepEqual(params["initializationOptions"], {
    clusters: "",
    user: "",
    env: {},
    bindings: {},
    hints: { templates: true, defaults: true, types: false },
    cluster: { enabled: false },
  });
  const { experimental } = params["capabilities"] as { experimental?: unknown };
  assert.deepEqual(experimental, { auroraResults: true });
});

test("a setting that is changed is told", async () => {
  editor.set("aurora.hints.defaults", false);
  await until("the change", () => {
    const settings = messages("workspace/didChangeConfiguration").at(-1)?.params["settings"];
    const hints = (settings as { aurora: { hints: Record<string, unknown> } } | undefined)?.aurora.hints;
    return hints?.["templates"] === true && hints["defaults"] === false;
  });
});

test("a log is asked for in the words of the program", async () => {
  const before = messages("start").length;
  editor.set("aurora.server.log", "/dev/null");
  // The change of the setting starts the server anew.
  await until("another server", () => messages("start").length > before && serving());
  assert.deepEqual(messages("start").at(-1)?.params["words"], ["lsp", "--log", "/dev/null"]);
  editor.set("aurora.server.log", "");
  await editor.run("aurora.restartServer");
  assert.deepEqual(messages("start").at(-1)?.params["words"], ["lsp"]);
});

test("a server that is stopped has said shutdown and exit before", async () => {
  const [stops, exits] = [messages("shutdown").length, messages("exit").length];
  await editor.run("aurora.restartServer");
  assert.equal(messages("shutdown").length, stops + 1);
  await until("exit", () => messages("exit").length === exits + 1);
});

test("a command shows what the server brings of the job at the cursor", async () => {
  const file = path.join(folder, "two.aurora");
  writeFileSync(file, "# job c/r/e/one\n\n# job c/r/e/two\n");
  const document = editor.open(file);
  editor.cursor(document.find("two"));
  await editor.run("aurora.inspect");
  assert.deepEqual(messages("workspace/executeCommand").at(-1)?.params, {
    command: "aurora.inspect",
    arguments: [{ uri: document.uri.toString(), job: "c/r/e/two" }],
  });
  const shown = editor.opened.at(-1)?.document;
  assert.equal(shown?.uri.toString(), "aurora-result:/inspect%20c/r/e/two.txt");
  assert.equal(shown?.getText(), "what aurora.inspect brings");
});

test("where no job is at the cursor the person chooses one", async () => {
  const document = editor.open(path.join(folder, "two.aurora"));
  editor.cursor(document.positionAt(document.getText().indexOf("\n") + 1));
  let offered: readonly string[] = [];
  editor.choose = (_text, choices) => {
    offered = choices;
    return "c/r/e/one";
  };
  await editor.run("aurora.inspect");
  assert.deepEqual(offered, ["c/r/e/one", "c/r/e/two"]);
  assert.equal(editor.opened.at(-1)?.document.uri.path, "/inspect c/r/e/one.txt");
  const before = messages("workspace/executeCommand").length;
  editor.choose = () => undefined;
  await editor.run("aurora.inspect");
  assert.equal(messages("workspace/executeCommand").length, before);
});

test("a lens names its job itself; a file is compared as it is on the screen", async () => {
  const document = editor.open(path.join(folder, "two.aurora"));
  editor.type(document, document.positionAt(0), "#");
  assert.ok(document.isDirty);
  await editor.run("aurora.diff", { uri: document.uri.toString(), job: "c/r/e/one" });
  assert.ok(document.isDirty);
  assert.equal(editor.opened.at(-1)?.document.uri.path, "/diff c/r/e/one.diff");
});

test("the tasks of a job are shown also where there is no lens for them", async () => {
  const document = editor.open(path.join(folder, "two.aurora"));
  editor.cursor(document.find("two"));
  await editor.run("aurora.status");
  assert.equal(editor.opened.at(-1)?.document.uri.path, "/status of c/r/e/two.txt");
});

test("a job is deployed only if the person says so, and its file is saved before", async () => {
  const argument = { uri: "file:///x.aurora", job: "c/r/e/one" };
  const document = editor.open(path.join(folder, "two.aurora"));
  editor.type(document, document.positionAt(0), "#");
  const before = messages("workspace/executeCommand").length;
  await editor.run("aurora.deploy", argument);
  assert.equal(lastShown(), "Deploy c/r/e/one?");
  assert.equal(messages("workspace/executeCommand").length, before);
  assert.ok(document.isDirty);
  editor.choose = (_text, choices) => choices.find((it) => it === "Deploy");
  await editor.run("aurora.deploy", argument);
  assert.ok(!document.isDirty);
  assert.deepEqual(messages("workspace/executeCommand").at(-1)?.params, {
    command: "aurora.deploy",
    arguments: [argument],
  });
});

test("what is refused is told, and shown whole if the person likes", async () => {
  const argument = { uri: "file:///x.aurora", job: "c/r/e/bad" };
  const opened = editor.opened.length;
  await editor.run("aurora.inspect", argument);
  assert.deepEqual(editor.shown.at(-1), { kind: "error", text: "it is refused", choices: ["Show All"] });
  assert.equal(editor.opened.length, opened);
  editor.choose = () => "Show All";
  await editor.run("aurora.inspect", argument);
  assert.equal(editor.opened.at(-1)?.document.getText(), "it is refused\nfor a reason");
});

test("a server that ends by itself is started again, but not for ever", async () => {
  const starts = messages("start").length;
  const end = (): Promise<unknown> =>
    editor.run("aurora.inspect", { uri: "file:///x.aurora", job: "c/r/e/end" }).catch(() => undefined);
  for (let ends = 1; ends <= 4; ends++) {
    void end();
    await until("another server", () => messages("start").length === starts + ends && serving());
  }
  void end();
  await until("the failure", () => editor.shown.some((it) => /has ended 5 times/.test(it.text)));
  assert.equal(messages("start").length, starts + 4);
  assert.equal(status(), "Aurora: no language server");
  await editor.run("aurora.restartServer");
  assert.equal(status(), "Aurora 9.9.9");
});

test("the log is shown", async () => {
  const before = editor.channels.get("Aurora")?.shown ?? 0;
  await editor.run("aurora.showLog");
  assert.equal(editor.channels.get("Aurora")?.shown, before + 1);
});
