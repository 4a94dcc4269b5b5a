/**
 * A server that does as little as the tests of the extension need: it has a lens on each line with the
 * words `job KEY`, carries out commands, and writes each message that it gets as a line of JSON to the file
 * `$FAKE_SERVER_RECORD`.
 */

import { appendFileSync } from "node:fs";
import {
  type CodeLens,
  CodeLensRequest,
  CodeLensResolveRequest,
  DidChangeConfigurationNotification,
  DidOpenTextDocumentNotification,
  ExecuteCommandRequest,
  ExitNotification,
  InitializeRequest,
  ShutdownRequest,
  createProtocolConnection,
} from "vscode-languageserver-protocol/node";

const lenses = ["aurora.inspect", "aurora.diff", "aurora.deploy"];
const commands = [...lenses, "aurora.status"];
const texts = new Map<string, string>();
const connection = createProtocolConnection(process.stdin, process.stdout);

function record(method: string, params: unknown): void {
  appendFileSync(process.env["FAKE_SERVER_RECORD"] as string, `${JSON.stringify({ method, params })}\n`);
}

record("start", { pid: process.pid, words: process.argv.slice(2) });
connection.onRequest(InitializeRequest.type, (params) => {
  record("initialize", params);
  return {
    serverInfo: { name: "aurora", version: "9.9.9" },
    capabilities: {
      textDocumentSync: 2,
      codeLensProvider: { resolveProvider: true },
      executeCommandProvider: { commands },
    },
  };
});
connection.onNotification(DidChangeConfigurationNotification.type, (params) => {
  record("workspace/didChangeConfiguration", params);
});
connection.onNotification(DidOpenTextDocumentNotification.type, ({ textDocument }) => {
  texts.set(textDocument.uri, textDocument.text);
});
connection.onRequest(CodeLensRequest.type, ({ textDocument: { uri } }) => {
  const lines = (texts.get(uri) ?? "").split("\n");
  return lines.flatMap((line, at): CodeLens[] => {
    const job = /job (\S+)/.exec(line)?.[1];
    const range = { start: { line: at, character: 0 }, end: { line: at, character: line.length } };
    return job === undefined ? [] : lenses.map((command) => ({ range, data: { uri, job, command } }));
  });
});
connection.onRequest(CodeLensResolveRequest.type, (lens) => {
  const { uri, job, command } = lens.data as { uri: string; job: string; command: string };
  return { ...lens, command: { title: command.slice("aurora.".length), command, arguments: [{ uri, job }] } };
});
connection.onRequest(ExecuteCommandRequest.type, (params) => {
  record("workspace/executeCommand", params);
  const { job } = (params.arguments ?? [])[0] as { job?: string };
  if (job === "c/r/e/end") {
    process.exit(3);
  }
  return job === "c/r/e/bad"
    ? { title: "bad", text: "it is refused\nfor a reason", ok: false }
    : { title: `${params.command} ${job}`, text: `what ${params.command} brings`, ok: true };
});
connection.onRequest(ShutdownRequest.type, () => record("shutdown", null));
connection.onNotification(ExitNotification.type, () => {
  record("exit", null);
  process.exit(0);
});
connection.listen();
