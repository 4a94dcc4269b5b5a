/** The language server: started, stopped and started anew, one after the other. */

import { execFile } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { homedir } from "node:os";
import {
  type Disposable,
  EventEmitter,
  type LogOutputChannel,
  type OutputChannel,
  window,
  workspace,
} from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  type LanguageClientOptions,
  RevealOutputChannelOn,
  State,
} from "vscode-languageclient/node";
import { showsResults } from "./commands";
import { type Machine, find } from "./program";
import { forServer, words } from "./settings";

/** How long a program may take to say that it has a language server. */
const PATIENCE_MS = 10_000;
/** How often a server that ends by itself is started again, and within what time that counts. */
const MAX_ENDS = 4;
const ENDS_WITHIN_MS = 3 * 60_000;

/** How one start has gone. */
interface Run {
  /** Whether the server has ever answered. */
  ran: boolean;
  /** When it has ended by itself. */
  readonly ends: number[];
  /** Why it is not started again. */
  fault?: string;
}

/** What the server does now. */
export type Condition =
  /** The program is looked for and tried. */
  | { readonly kind: "searching" }
  | { readonly kind: "starting" }
  | { readonly kind: "running"; readonly version: string }
  | { readonly kind: "stopped"; readonly reason?: string };

/** Where the editor's server stands. */
export class Server implements Disposable {
  private client: LanguageClient | undefined;
  private turn: Promise<void> = Promise.resolve();
  private readonly changes = new EventEmitter<Condition>();

  /** Told at each change. */
  readonly onDidChange = this.changes.event;

  constructor(
    private readonly log: LogOutputChannel,
    private readonly trace: OutputChannel,
    private readonly middleware: NonNullable<LanguageClientOptions["middleware"]>,
  ) {}

  /** The client of the server that runs, if one does. */
  get running(): LanguageClient | undefined {
    return this.client?.state === State.Running ? this.client : undefined;
  }

  /** Starts it, with the settings as they are now; one that runs is stopped first. */
  restart(): Promise<void> {
    return this.next(async () => {
      await this.end();
      await this.begin();
    });
  }

  /** Stops it. */
  stop(): Promise<void> {
    return this.next(() => this.end());
  }

  dispose(): void {
    this.changes.dispose();
  }

  /** Whoever asks while something is under way waits for its end. */
  private next(task: () => Promise<void>): Promise<void> {
    this.turn = this.turn.then(task, task);
    return this.turn;
  }

  private become(condition: Condition): void {
    this.changes.fire(condition);
  }

  private async begin(): Promise<void> {
    this.become({ kind: "searching" });
    const settings = workspace.getConfiguration("aurora");
    const folder = workspace.workspaceFolders?.find((it) => it.uri.scheme === "file")?.uri.fsPath;
    const found = find(settings.get<string>("server.path") ?? "", folder, machine());
    if ("missing" in found) {
      this.fail(found.missing);
      return;
    }
    const { program } = found;
    const fault = await probe(program);
    if (fault !== undefined) {
      this.fail(fault);
      return;
    }
    this.log.info(`starting ${program} ${words(settings).join(" ")}`);
    const run: Run = { ran: false, ends: [] };
    const client = new LanguageClient(
      "aurora",
      "Aurora",
      { command: program, args: words(settings) },
      this.options(run),
    );
    client.registerFeature(showsResults);
    this.client = client;
    this.become({ kind: "starting" });
    client.onDidChangeState(({ newState }) => {
      if (this.client !== client) {
        return;
      }
      if (newState === State.Running) {
        run.ran = true;
        this.become({ kind: "running", version: client.initializeResult?.serverInfo?.version ?? "" });
      } else if (newState === State.Starting) {
        this.become({ kind: "starting" });
      } else if (run.fault !== undefined) {
        this.fail(run.fault);
      } else {
        this.become({ kind: "stopped" });
      }
    });
    try {
      await client.start();
    } catch (error) {
      this.fail(`${program} lsp did not start: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private async end(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    if (client === undefined) {
      return;
    }
    try {
      await client.dispose();
    } catch (error) {
      // One that has ended by itself cannot be told to.
      this.log.info(`the server did not end as asked: ${String(error)}`);
    }
    this.become({ kind: "stopped" });
  }

  private fail(reason: string): void {
    this.log.error(reason);
    this.become({ kind: "stopped", reason });
  }

  private options(run: Run): LanguageClientOptions {
    return {
      documentSelector: [
        { scheme: "file", language: "aurora" },
        { scheme: "untitled", language: "aurora" },
      ],
      initializationOptions: () => forServer(workspace.getConfiguration("aurora")),
      synchronize: { configurationSection: "aurora" },
      outputChannel: this.log,
      traceOutputChannel: this.trace as LogOutputChannel,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      middleware: this.middleware,
      initializationFailedHandler: () => false,
      errorHandler: {
        error: (_error, _message, count) => ({
          action: count !== undefined && count <= 3 ? ErrorAction.Continue : ErrorAction.Shutdown,
          handled: true,
        }),
        closed: () => {
          if (!run.ran) {
            // Its start fails, which is told there.
            return { action: CloseAction.DoNotRestart, handled: true };
          }
          const now = Date.now();
          run.ends.push(now);
          const recent = run.ends.filter((at) => now - at < ENDS_WITHIN_MS).length;
          if (recent <= MAX_ENDS) {
            return { action: CloseAction.Restart, handled: true };
          }
          // Told once the client has cleared up.
          run.fault = `The language server has ended ${recent} times within three minutes.`;
          return { action: CloseAction.DoNotRestart, handled: true };
        },
      },
    };
  }
}

function machine(): Machine {
  return {
    platform: process.platform,
    home: homedir(),
    path: process.env["PATH"] ?? "",
    isProgram: (file) => {
      try {
        accessSync(file, constants.X_OK);
        return statSync(file).isFile();
      } catch {
        return false;
      }
    },
  };
}

/** Why a program is of no use: older ones have no server, and others of that name are something else. */
function probe(program: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(program, ["lsp", "--help"], { timeout: PATIENCE_MS }, (error, _out, err) => {
      const said = err.trim().split("\n", 1)[0] ?? "";
      const why = said === "" ? (error?.message ?? "") : said;
      resolve(error === null ? undefined : `${program} has no language server: ${why}`);
    });
  });
}

/** Shows why the server does not run, with what helps. */
export async function showFailure(reason: string, act: {
  choose(): Promise<void>;
  settings(): Promise<void>;
  log(): void;
}): Promise<void> {
  const [choose, settings, log] = ["Choose Program…", "Open Settings", "Show Log"];
  const chosen = await window.showErrorMessage(
    `${reason} Completion and checks of .aurora files need it.`,
    choose,
    settings,
    log,
  );
  if (chosen === choose) {
    await act.choose();
  } else if (chosen === settings) {
    await act.settings();
  } else if (chosen === log) {
    act.log();
  }
}
