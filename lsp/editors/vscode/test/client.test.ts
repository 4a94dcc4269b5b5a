/**
 * The built extension with the built program: VS Code's own client code (`vscode-languageclient`) makes
 * the requests of what is typed into a stand-in for VS Code, and its values of the answers.
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as path from "node:path";
import { after, before, test } from "node:test";
import manifest from "../package.json";
import { type Document, Editor, PATIENCE_MS, until } from "./editor";
import { aurora, folder, hello, skip } from "./editor/files";
import * as values from "./editor/values";

const { Range, Uri } = values;
const work = folder();
const editor = new Editor();
let document: Document;
let deactivate: () => Promise<void>;

type Item = values.CompletionItem & { label: string | { label: string } };

before(async () => {
  if (skip !== false) {
    return;
  }
  for (const [name, { default: value }] of Object.entries(manifest.contributes.configuration.properties)) {
    editor.settings.set(name, value);
  }
  editor.settings.set("aurora.server.path", aurora);
  editor.folders = [{ uri: Uri.file(work.path), name: "work", index: 0 }];
  editor.install();
  document = editor.open(work.file("hello.aurora"));
  const extension = require(path.join(__dirname, "..", "dist", "extension.js"));
  deactivate = extension.deactivate;
  await extension.activate({ subscriptions: [] });
});

after(async () => {
  await deactivate?.();
  work.remove();
});

/** Makes the text what it was. */
function reset(text = hello): void {
  const end = document.positionAt(document.getText().length);
  editor.edit(document, { range: new Range(document.positionAt(0), end), text });
}

function problems(what: string, is: (all: values.Diagnostic[]) => boolean): Promise<values.Diagnostic[]> {
  return until(`${what}: ${JSON.stringify(editor.problems(document))}`, () => {
    const all = editor.problems(document);
    return is(all) && all;
  });
}

function labels(answers: ({ items: Item[] } | Item[])[]): string[] {
  return answers
    .flatMap((it) => (Array.isArray(it) ? it : it.items))
    .map(({ label }) => (typeof label === "string" ? label : label.label));
}

test("the server runs, and nobody was troubled", { skip }, () => {
  assert.deepEqual(editor.shown, []);
  const version = execFileSync(aurora, ["--version"], { encoding: "utf8" }).trim().replace("aurora", "Aurora");
  assert.equal(editor.statuses.at(-1)?.["text"], version);
});

test("a mistake that is typed is marked, and no more once it is undone", { skip }, async () => {
  editor.type(document, document.find('{{greeting}}"', '{{greeting}}"'.length), ", nme=1");
  const [problem] = await problems("a mistake", (all) => all.some((it) => String(it["message"]).includes("nme")));
  assert.ok(problem);
  assert.equal(problem["severity"], values.DiagnosticSeverity.Error);
  assert.equal(document.getText(problem["range"] as values.Range), "nme=1");
  assert.equal(problem["source"], "aurora");
  reset();
  await problems("no mistake", (all) => all.length === 0);
});

test("fields and what is bound are completed", { skip }, async () => {
  const end = document.positionAt(document.getText().length);
  const at = editor.type(document, end, "typed = Process(na");
  const context = { triggerKind: values.CompletionTriggerKind.Invoke, triggerCharacter: undefined };
  const complete = (at: values.Position): Promise<({ items: Item[] } | Item[])[]> =>
    // The last two arguments are a token and the context, in this order.
    editor.askWith("CompletionItem", "provideCompletionItems", document, [at], [context]);
  assert.ok(labels(await complete(at)).includes("name"));
  const inside = editor.type(document, at, 'me="x", cmdline="{{mesos.');
  const bound = labels(await complete(inside));
  assert.ok(bound.some((it) => it === "instance" || it === "mesos.instance"), bound.join(" "));
  reset();
});

test("what something is, and what it comes to", { skip }, async () => {
  await problems("no mistake", (all) => all.length === 0);
  const shown = async (wanted: string): Promise<string> =>
    JSON.stringify(await editor.ask("Hover", "provideHover", document, document.find(wanted, 3)));
  assert.match(await shown("Process("), /cmdline/);
  assert.match(await shown("{{greeting"), /hi/);
});

test("a name leads to the other file, and is changed in both", { skip }, async () => {
  const at = document.find("resources=small", "resources=".length);
  const from = await editor.ask("Definition", "provideDefinition", document, at);
  assert.match(JSON.stringify(from), /common\.aurora/);
  const [change] = await editor.ask<values.WorkspaceEdit>("Rename", "provideRenameEdits", document, at, "little");
  const changed = new Map(change?.entries().map(([uri, edits]) => [path.basename(uri.fsPath), edits]));
  assert.deepEqual([...changed.keys()].sort(), ["common.aurora", "hello.aurora"]);
  assert.deepEqual(changed.get("hello.aurora")?.map((it) => document.getText(it.range)), ["small"]);
});

test("a text is laid out", { skip }, async () => {
  reset(hello.replace('    cluster="devcluster"', 'cluster = "devcluster"'));
  const [edits] = await editor.ask<values.TextEdit[]>("DocumentFormattingEdit", "provideDocumentFormattingEdits", document, {
    tabSize: 2,
    insertSpaces: true,
  });
  editor.edit(document, ...(edits ?? []).map(({ range, newText }) => ({ range, text: newText })));
  assert.equal(document.getText(), hello);
});

test("symbols, folds, tokens, hints and lenses are there", { skip }, async () => {
  await problems("no mistake", (all) => all.length === 0);
  const whole = new Range(document.positionAt(0), document.positionAt(document.getText().length));
  for (const [kind, method, args] of [
    ["DocumentSymbol", "provideDocumentSymbols", []],
    ["FoldingRange", "provideFoldingRanges", [{}]],
    ["DocumentSemanticTokens", "provideDocumentSemanticTokens", []],
    ["DocumentLink", "provideDocumentLinks", []],
    ["InlayHints", "provideInlayHints", [whole]],
    ["CodeLens", "provideCodeLenses", []],
  ] as const) {
    // Hints are those of the last evaluation, which may be under way.
    const deadline = Date.now() + PATIENCE_MS;
    let count = 0;
    while (count === 0 && Date.now() < deadline) {
      const [answer] = await editor.ask<unknown[] | { data: Uint32Array }>(kind, method, document, ...args);
      assert.ok(answer !== undefined, kind);
      count = Array.isArray(answer) ? answer.length : answer.data.length;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.ok(count > 0, kind);
  }
});

test("a job is inspected from its lines", { skip }, async () => {
  editor.cursor(document.find('name="hello",\n    task', 0));
  await editor.run("aurora.inspect");
  const shown = editor.opened.at(-1)?.document;
  assert.equal(shown?.uri.path, "/inspect devcluster/www-data/prod/hello.txt");
  assert.match(shown?.getText() ?? "", /hello/);
});

test("a job that runs nowhere cannot be compared, which is told", { skip }, async () => {
  editor.save(document);
  editor.shown.length = 0;
  await editor.run("aurora.diff", { uri: document.uri.toString(), job: "devcluster/www-data/prod/hello" });
  const told = editor.shown.at(-1);
  assert.equal(told?.kind, "error");
  assert.match(told?.text ?? "", /unknown cluster devcluster/);
});
