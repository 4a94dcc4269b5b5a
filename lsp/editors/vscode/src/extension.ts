/** Aurora for VS Code: starts `aurora lsp`, whose work everything about the language is. */

import { type ExtensionContext, ConfigurationTarget, commands, window, workspace } from "vscode";
import { JobCommands } from "./commands";
import { Results } from "./results";
import { Server, showFailure } from "./server";
import { createStatus } from "./status";

/** Settings that the server takes only when it is started. */
const AT_START = ["aurora.server.path", "aurora.server.log"];

let server: Server | undefined;

/** Called by VS Code when the first .aurora file is opened. */
export async function activate(context: ExtensionContext): Promise<void> {
  const log = window.createOutputChannel("Aurora", { log: true });
  const trace = window.createOutputChannel("Aurora Trace", { log: true });
  const results = new Results();
  const status = createStatus();
  const jobs = new JobCommands(results, () => server?.running);
  const started = new Server(log, trace, jobs.middleware);
  server = started;

  started.onDidChange((condition) => {
    status.show(condition);
    jobs.follow(condition);
    if (condition.kind === "stopped" && condition.reason !== undefined) {
      void showFailure(condition.reason, {
        choose: chooseProgram,
        settings: async () => {
          await commands.executeCommand("workbench.action.openSettings", "aurora.server.path");
        },
        log: () => log.show(),
      });
    }
  });
  context.subscriptions.push(
    log,
    trace,
    results,
    status,
    jobs,
    started,
    commands.registerCommand("aurora.restartServer", () => started.restart()),
    commands.registerCommand("aurora.showLog", () => log.show()),
    workspace.onDidChangeConfiguration((event) => {
      if (AT_START.some((name) => event.affectsConfiguration(name))) {
        void started.restart();
      }
    }),
    workspace.onDidGrantWorkspaceTrust(() => started.restart()),
  );
  await started.restart();
}

/** Called by VS Code at its end. */
export async function deactivate(): Promise<void> {
  await server?.stop();
}

/** Lets a person point at the program; the change of the setting starts it. */
async function chooseProgram(): Promise<void> {
  const [file] =
    (await window.showOpenDialog({ title: "The aurora program", canSelectMany: false, openLabel: "Use" })) ?? [];
  if (file !== undefined) {
    await workspace.getConfiguration("aurora").update("server.path", file.fsPath, ConfigurationTarget.Global);
  }
}
