/**
 * The built program over its standard input and output, spoken to with the library that VS Code's own
 * client stands on: `vscode-languageserver-protocol`.
 */

import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import * as lsp from "vscode-languageserver-protocol/node";
import { TextDocument } from "vscode-languageserver-textdocument";
import { PATIENCE_MS, until } from "./editor";
import { aurora, folder, hello, skip } from "./editor/files";

/** The servers that were started: what runs on after a failure would keep the tests from their end. */
const started: ChildProcessWithoutNullStreams[] = [];

/** A server, and what it has said unasked. */
class Server {
  readonly process: ChildProcessWithoutNullStreams;
  readonly connection: lsp.ProtocolConnection;
  readonly problems = new Map<string, lsp.PublishDiagnosticsParams>();
  readonly traces: string[] = [];
  private readonly ended: Promise<unknown[]>;

  constructor(...words: string[]) {
    this.process = spawn(aurora, ["lsp", ...words], { cwd: "/" });
    started.push(this.process);
    this.ended = once(this.process, "exit");
    this.process.stderr.pipe(process.stderr);
    this.connection = lsp.createProtocolConnection(this.process.stdout, this.process.stdin);
    this.connection.onNotification(lsp.PublishDiagnosticsNotification.type, (params) => {
      this.problems.set(params.uri, params);
    });
    this.connection.onNotification(lsp.LogTraceNotification.type, ({ message }) => void this.traces.push(message));
    this.connection.onRequest(lsp.RegistrationRequest.type, () => undefined);
    this.connection.onRequest(lsp.ConfigurationRequest.type, ({ items }) => items.map(() => null));
    this.connection.onRequest(lsp.InlayHintRefreshRequest.type, () => undefined);
    this.connection.onRequest(lsp.CodeLensRefreshRequest.type, () => undefined);
    this.connection.listen();
  }

  async initialize(root: string, more: Partial<lsp.InitializeParams> = {}): Promise<lsp.InitializeResult> {
    const result = await this.connection.sendRequest(lsp.InitializeRequest.type, {
      processId: process.pid,
      rootUri: null,
      workspaceFolders: [{ uri: pathToFileURL(root).href, name: "work" }],
      capabilities: {
        general: { positionEncodings: ["utf-16"] },
        workspace: { configuration: true, workspaceEdit: { documentChanges: true } },
        textDocument: {
          publishDiagnostics: { relatedInformation: true, versionSupport: true, codeDescriptionSupport: true },
          completion: { completionItem: { snippetSupport: true, documentationFormat: ["markdown"] } },
          hover: { contentFormat: ["markdown"] },
          documentSymbol: { hierarchicalDocumentSymbolSupport: true },
          codeAction: { codeActionLiteralSupport: { codeActionKind: { valueSet: [] } } },
        },
        experimental: { auroraResults: true },
      },
      ...more,
    });
    await this.connection.sendNotification(lsp.InitializedNotification.type, {});
    return result;
  }

  /** How it has ended: its exit code. */
  async end(): Promise<unknown> {
    const [code] = await this.ended;
    this.connection.dispose();
    return code;
  }

  async stop(): Promise<unknown> {
    await this.connection.sendRequest(lsp.ShutdownRequest.type);
    await this.connection.sendNotification(lsp.ExitNotification.type);
    return this.end();
  }
}

/** A text that is open at a server. */
class Open {
  private readonly document: TextDocument;

  private constructor(private readonly server: Server, readonly uri: string, text: string) {
    this.document = TextDocument.create(uri, "aurora", 1, text);
  }

  static async at(server: Server, path: string, text = readFileSync(path, "utf8")): Promise<Open> {
    const open = new Open(server, pathToFileURL(path).href, text);
    await server.connection.sendNotification(lsp.DidOpenTextDocumentNotification.type, {
      textDocument: { uri: open.uri, languageId: "aurora", version: 1, text },
    });
    return open;
  }

  get text(): string {
    return this.document.getText();
  }

  get id(): lsp.TextDocumentIdentifier {
    return { uri: this.uri };
  }

  /** The place behind as much of a text as `plus` says; it stands there once. */
  place(wanted: string, plus = wanted.length): lsp.TextDocumentPositionParams {
    const at = this.text.indexOf(wanted);
    assert.ok(at >= 0 && this.text.indexOf(wanted, at + 1) < 0, wanted);
    return { textDocument: this.id, position: this.document.positionAt(at + plus) };
  }

  /** Types behind a text, a key at a time. */
  async type(behind: string, typed: string): Promise<void> {
    let offset = this.document.offsetAt(this.place(behind).position);
    for (const key of typed) {
      const at = this.document.positionAt(offset);
      await this.change({ range: { start: at, end: at }, text: key });
      offset += key.length;
    }
  }

  async replace(wanted: string, text: string): Promise<void> {
    const range = { start: this.place(wanted, 0).position, end: this.place(wanted).position };
    await this.change({ range, text });
  }

  async change(change: lsp.TextDocumentContentChangeEvent): Promise<void> {
    const version = this.document.version + 1;
    TextDocument.update(this.document, [change], version);
    await this.server.connection.sendNotification(lsp.DidChangeTextDocumentNotification.type, {
      textDocument: { uri: this.uri, version },
      contentChanges: [change],
    });
  }

  /** What is wrong with the text as it is now, once the server has told that. */
  problems(is: (all: lsp.Diagnostic[]) => boolean): Promise<lsp.Diagnostic[]> {
    return until(`problems of ${this.text}`, () => {
      const told = this.server.problems.get(this.uri);
      const isNew = told !== undefined && (told.version === undefined || told.version === this.document.version);
      return isNew && is(told.diagnostics) && told.diagnostics;
    });
  }

  apply(edits: lsp.TextEdit[]): string {
    return TextDocument.applyEdits(this.document, edits);
  }

  slice(range: lsp.Range): string {
    return this.document.getText(range);
  }
}

/** The edits of a change of several files, by file. */
function edits(change: lsp.WorkspaceEdit | null): Map<string, lsp.TextEdit[]> {
  const byFile = new Map<string, lsp.TextEdit[]>(Object.entries(change?.changes ?? {}));
  for (const part of change?.documentChanges ?? []) {
    if ("textDocument" in part) {
      byFile.set(part.textDocument.uri, part.edits as lsp.TextEdit[]);
    }
  }
  return byFile;
}

function items(answer: lsp.CompletionItem[] | lsp.CompletionList | null): lsp.CompletionItem[] {
  return Array.isArray(answer) ? answer : (answer?.items ?? []);
}

const work = folder();
after(() => {
  started.forEach((it) => it.kill());
  work.remove();
});

let server: Server;
let initialized: lsp.InitializeResult;

before(async () => {
  if (skip === false) {
    server = new Server();
    initialized = await server.initialize(work.path);
  }
});

test("the server says who it is and what it can", { skip }, () => {
  const version = execFileSync(aurora, ["--version"], { encoding: "utf8" }).trim();
  assert.equal(`${initialized.serverInfo?.name} ${initialized.serverInfo?.version}`, version);
  const { capabilities } = initialized;
  assert.ok((capabilities.positionEncoding ?? "utf-16") === "utf-16");
  for (const name of [
    "completionProvider",
    "hoverProvider",
    "signatureHelpProvider",
    "definitionProvider",
    "referencesProvider",
    "documentHighlightProvider",
    "documentSymbolProvider",
    "workspaceSymbolProvider",
    "codeActionProvider",
    "codeLensProvider",
    "documentLinkProvider",
    "documentFormattingProvider",
    "documentRangeFormattingProvider",
    "renameProvider",
    "foldingRangeProvider",
    "selectionRangeProvider",
    "semanticTokensProvider",
    "inlayHintProvider",
    "executeCommandProvider",
  ] as const) {
    assert.ok(capabilities[name], name);
  }
});

test("a mistake is told as it is typed, and no more once it is taken back", { skip }, async () => {
  const open = await Open.at(server, work.file("hello.aurora"));
  assert.deepEqual(await open.problems((all) => all.length === 0), []);
  await open.type('cmdline="echo {{mesos.instance}} {{greeting}}"', ", nme=1");
  const [problem] = await open.problems((all) => all.some((it) => JSON.stringify(it.message).includes("nme")));
  assert.ok(problem);
  assert.equal(open.slice(problem.range), "nme=1");
  assert.equal(problem.severity, lsp.DiagnosticSeverity.Error);
  assert.match(String(problem.code), /\w/);
  assert.ok(problem.codeDescription?.href);
  await open.replace(", nme=1", "");
  assert.deepEqual(await open.problems((all) => all.length === 0), []);
  // An end that is missing is told by the tree alone.
  await open.replace("jobs = [", "jobs = ");
  assert.ok((await open.problems((all) => all.length > 0))[0]);
});

test("fields and what is bound are completed, also where a text is not complete", { skip }, async () => {
  const open = await Open.at(server, work.file("typed.aurora"), 'include("common.aurora")\n# here\n');
  await open.type("# here\n", "Process(na");
  const fields = items(await server.connection.sendRequest(lsp.CompletionRequest.type, open.place("Process(na")));
  const name = fields.find((it) => it.label === "name");
  assert.ok(name, fields.map((it) => it.label).join(" "));
  const whole = await server.connection.sendRequest(lsp.CompletionResolveRequest.type, name);
  assert.match(JSON.stringify(whole.documentation ?? ""), /\w/);
  await open.type("Process(na", 'me="x", cmdline="{{mesos.');
  const bound = items(await server.connection.sendRequest(lsp.CompletionRequest.type, open.place("{{mesos.")));
  assert.ok(bound.some((it) => it.label === "instance" || it.label === "mesos.instance"), JSON.stringify(bound));
});

test("what something is, what it comes to and where it is from", { skip }, async () => {
  const open = await Open.at(server, work.file("hello.aurora"), hello);
  await open.problems((all) => all.length === 0);
  const shown = async (wanted: string, plus: number): Promise<string> =>
    JSON.stringify(await server.connection.sendRequest(lsp.HoverRequest.type, open.place(wanted, plus)));
  assert.match(await shown("Process(", 2), /cmdline/);
  // What it comes to is known once the file was evaluated.
  const deadline = Date.now() + PATIENCE_MS;
  while (!/hi/.test(await shown("{{greeting}}", 4))) {
    assert.ok(Date.now() < deadline, await shown("{{greeting}}", 4));
  }
  const from = await server.connection.sendRequest(lsp.DefinitionRequest.type, open.place("resources=small"));
  assert.match(JSON.stringify(from), /common\.aurora/);
  const uses = await server.connection.sendRequest(lsp.ReferencesRequest.type, {
    ...open.place("resources=small"),
    context: { includeDeclaration: true },
  });
  assert.deepEqual(uses?.map((it) => it.uri.slice(it.uri.lastIndexOf("/") + 1)).sort(), [
    "common.aurora",
    "hello.aurora",
  ]);
});

test("a name is changed in all files", { skip }, async () => {
  const open = await Open.at(server, work.file("hello.aurora"), hello);
  const change = edits(
    await server.connection.sendRequest(lsp.RenameRequest.type, { ...open.place("resources=small"), newName: "little" }),
  );
  assert.equal(change.size, 2);
  assert.equal(open.apply(change.get(open.uri) ?? []), hello.replace("small", "little"));
  const others = change.get(pathToFileURL(work.file("common.aurora")).href);
  assert.deepEqual(others?.map((it) => it.newText), ["little"]);
});

test("a text is laid out as by the command", { skip }, async () => {
  const text = hello.replace('    cluster="devcluster",\n', 'cluster = "devcluster" ,\n').replace("[hello]", "[ hello ]");
  const open = await Open.at(server, work.file("hello.aurora"), text);
  const found = await server.connection.sendRequest(lsp.DocumentFormattingRequest.type, {
    textDocument: open.id,
    options: { tabSize: 2, insertSpaces: true },
  });
  const wanted = execFileSync(aurora, ["config", "fmt", "-"], { input: text, encoding: "utf8" });
  assert.equal(wanted, hello);
  assert.equal(open.apply(found ?? []), wanted);
});

test("what a screen shows of a file", { skip }, async () => {
  const open = await Open.at(server, work.file("hello.aurora"), hello);
  await open.problems((all) => all.length === 0);
  const { connection } = server;
  const ask = { textDocument: open.id };
  const symbols = (await connection.sendRequest(lsp.DocumentSymbolRequest.type, ask)) as lsp.DocumentSymbol[];
  assert.ok(symbols.some((it) => it.name.includes("hello")), JSON.stringify(symbols));
  const tokens = await connection.sendRequest(lsp.SemanticTokensRequest.type, ask);
  assert.ok((tokens?.data.length ?? 0) > 0 && (tokens?.data.length ?? 0) % 5 === 0);
  const folds = await connection.sendRequest(lsp.FoldingRangeRequest.type, ask);
  assert.ok(folds?.some((it) => it.startLine === 4));
  const links = await connection.sendRequest(lsp.DocumentLinkRequest.type, ask);
  assert.match(JSON.stringify(links), /common\.aurora/);
  const range = { start: { line: 0, character: 0 }, end: { line: 13, character: 0 } };
  const hints = await connection.sendRequest(lsp.InlayHintRequest.type, { ...ask, range });
  assert.match(JSON.stringify(hints), /hi/);
});

test("a lens on a job starts a command, whose outcome comes back", { skip }, async () => {
  const open = await Open.at(server, work.file("hello.aurora"), hello);
  await open.problems((all) => all.length === 0);
  const { connection } = server;
  const lenses = (await connection.sendRequest(lsp.CodeLensRequest.type, { textDocument: open.id })) ?? [];
  const whole = await Promise.all(
    lenses.map((it) => (it.command === undefined ? connection.sendRequest(lsp.CodeLensResolveRequest.type, it) : it)),
  );
  const commands = whole.map((it) => it.command?.command);
  for (const name of ["aurora.inspect", "aurora.diff", "aurora.deploy"]) {
    assert.ok(commands.includes(name), `${name} in ${commands.join(" ")}`);
  }
  const inspect = whole.find((it) => it.command?.command === "aurora.inspect")?.command;
  assert.deepEqual(inspect?.arguments, [{ uri: open.uri, job: "devcluster/www-data/prod/hello" }]);
  const outcome = (await connection.sendRequest(lsp.ExecuteCommandRequest.type, inspect)) as Record<string, unknown>;
  assert.equal(outcome["ok"], true, JSON.stringify(outcome));
  assert.match(String(outcome["text"]), /hello/);
});

test("what is not asked for rightly is an error, and the server goes on", { skip }, async () => {
  const open = await Open.at(server, work.file("hello.aurora"), hello);
  await assert.rejects(server.connection.sendRequest("aurora/none", {}), { code: lsp.ErrorCodes.MethodNotFound });
  await assert.rejects(server.connection.sendRequest("textDocument/hover", { textDocument: 1 }), {
    code: lsp.ErrorCodes.InvalidParams,
  });
  const far = { line: 9999, character: 9999 };
  await server.connection.sendRequest(lsp.HoverRequest.type, { textDocument: open.id, position: far });
  const gone = { uri: pathToFileURL(work.file("gone.aurora")).href };
  assert.equal(await server.connection.sendRequest(lsp.FoldingRangeRequest.type, { textDocument: gone }), null);
});

test("a server that was told to shut down ends with 0", { skip }, async () => {
  assert.equal(await server.stop(), 0);
});

test("one that was told to exit without that ends with 1", { skip }, async () => {
  const other = new Server();
  await other.initialize(work.path);
  await other.connection.sendNotification(lsp.ExitNotification.type);
  assert.equal(await other.end(), 1);
});

test("one whose editor is gone ends", { skip }, async () => {
  const other = new Server();
  await other.initialize(work.path);
  other.process.stdin.end();
  assert.equal(typeof (await other.end()), "number");
});

test("a log and traces tell of the requests", { skip }, async () => {
  const log = work.file("log");
  const other = new Server("--log", log);
  await other.initialize(work.path, { trace: "verbose" });
  const open = await Open.at(other, work.file("hello.aurora"));
  await other.connection.sendRequest(lsp.HoverRequest.type, open.place("Process(", 2));
  await until("a trace", () => other.traces.some((it) => it.includes("textDocument/hover")));
  assert.equal(await other.stop(), 0);
  assert.match(readFileSync(log, "utf8"), /textDocument\/hover/);
});
