/**
 * The commands about a job: what it means, how it differs from what runs, its deployment, its tasks. The server
 * carries them out (`lsp/src/commands.rs`); here the job is chosen and the outcome shown.
 */

import { type Disposable, ProgressLocation, commands, window, workspace } from "vscode";
import {
  CodeLensRequest,
  CodeLensResolveRequest,
  type ExecuteCommandSignature,
  type LanguageClient,
  type LanguageClientOptions,
  type StaticFeature,
} from "vscode-languageclient/node";
import { type JobArgument, type Lens, candidates, keyOf, labelOf } from "./jobs";
import type { Results } from "./results";
import type { Condition } from "./server";

/** Each command, what is said of it, and the ending of the document with its outcome. */
const COMMANDS: ReadonlyMap<string, { readonly verb: string; readonly ending: string }> = new Map([
  ["aurora.inspect", { verb: "inspect", ending: "txt" }],
  ["aurora.diff", { verb: "diff", ending: "diff" }],
  ["aurora.deploy", { verb: "deploy", ending: "txt" }],
  ["aurora.status", { verb: "status of", ending: "txt" }],
]);

/** What a command has come to. */
interface Outcome {
  readonly title: string;
  readonly text: string;
  readonly ok: boolean;
}

/** Tells the server that outcomes are shown here. */
export const showsResults: StaticFeature = {
  fillClientCapabilities: (capabilities) => {
    const others = (capabilities.experimental ?? {}) as Record<string, unknown>;
    capabilities.experimental = { ...others, auroraResults: true };
  },
  initialize: () => undefined,
  getState: () => ({ kind: "static" }),
  clear: () => undefined,
};

/** The commands, which are there as long as the extension is. */
export class JobCommands implements Disposable {
  /** Once a server is started, its client registers the commands; before, these say why nothing is done. */
  private standIns: Disposable[] = [];

  readonly middleware: NonNullable<LanguageClientOptions["middleware"]> = {
    executeCommand: (command, args, next) => this.execute(command, args, next),
  };

  constructor(
    private readonly results: Results,
    private readonly client: () => LanguageClient | undefined,
  ) {}

  /** Told at each change of the server's condition. */
  follow(condition: Condition): void {
    this.dispose();
    if (condition.kind === "stopped" || condition.kind === "searching") {
      this.standIns = [...COMMANDS.keys()].map((command) =>
        commands.registerCommand(command, () => this.refuse(condition.kind)),
      );
    }
  }

  dispose(): void {
    this.standIns.forEach((it) => it.dispose());
    this.standIns = [];
  }

  private async refuse(condition: Condition["kind"]): Promise<void> {
    if (condition === "searching") {
      void window.showInformationMessage("Aurora's language server is starting: try again in a moment.");
      return;
    }
    const restart = "Restart";
    const chosen = await window.showErrorMessage("Aurora's language server does not run.", restart);
    if (chosen === restart) {
      await commands.executeCommand("aurora.restartServer");
    }
  }

  private async execute(command: string, args: unknown[], next: ExecuteCommandSignature): Promise<void> {
    const known = COMMANDS.get(command);
    if (known === undefined) {
      await next(command, args);
      return;
    }
    const argument = (args[0] as JobArgument | undefined) ?? (await this.pick(command));
    if (argument === undefined) {
      return;
    }
    const about = labelOf(argument);
    if (command === "aurora.deploy") {
      const deploy = "Deploy";
      const chosen = await window.showWarningMessage(
        `Deploy ${about}?`,
        { modal: true, detail: "Changed .aurora files are saved first." },
        deploy,
      );
      // What is deployed is on disk; all else is told of the texts on the screen.
      if (chosen !== deploy || !(await saveAll())) {
        return;
      }
    }
    const outcome = (await window.withProgress(
      { location: ProgressLocation.Notification, title: `Aurora: ${known.verb} ${about}` },
      () => next(command, [argument]),
    )) as Outcome | null | undefined;
    // A request that failed was told by the client.
    if (outcome !== undefined && outcome !== null) {
      await this.show(outcome, `${known.verb} ${about}.${known.ending}`);
    }
  }

  private async show(outcome: Outcome, name: string): Promise<void> {
    const text = outcome.text.trimEnd();
    if (outcome.ok) {
      await this.results.show(name, text === "" ? outcome.title : outcome.text);
      return;
    }
    const [first = "", ...more] = text.split("\n");
    const all = "Show All";
    const chosen = await window.showErrorMessage(first === "" ? outcome.title : first, ...(more.length > 0 ? [all] : []));
    if (chosen === all) {
      await this.results.show(name, outcome.text);
    }
  }

  /** The job that is meant if a person has called a command by its name. */
  private async pick(command: string): Promise<JobArgument | undefined> {
    const editor = window.activeTextEditor;
    const client = this.client();
    if (client === undefined || editor?.document.languageId !== "aurora") {
      void window.showInformationMessage("Open the .aurora file of the job first.");
      return undefined;
    }
    const uri = client.code2ProtocolConverter.asUri(editor.document.uri);
    // Every job has the lens that inspects it; that of its tasks is there only where clusters are asked.
    const lens = command === "aurora.status" ? "aurora.inspect" : command;
    const found = candidates(await lenses(client, uri), lens, editor.selection.active.line);
    const [first, ...others] = found;
    if (first === undefined) {
      // The server knows the only job of a file, and says what is wrong if there is none.
      return { uri };
    }
    if (others.length === 0) {
      return first.argument;
    }
    const items = found.map((lens) => ({ label: labelOf(lens.argument), argument: lens.argument }));
    const chosen = await window.showQuickPick(items, { placeHolder: "Which job?" });
    return chosen?.argument;
  }
}

/** The lenses of a file, with what they give their commands. */
async function lenses(client: LanguageClient, uri: string): Promise<Lens[]> {
  const all = (await client.sendRequest(CodeLensRequest.type, { textDocument: { uri } })) ?? [];
  const whole = await Promise.all(
    all.map((lens) =>
      lens.command === undefined ? client.sendRequest(CodeLensResolveRequest.type, lens) : lens,
    ),
  );
  return whole.flatMap(({ range, command, data }) => {
    const argument = command?.arguments?.[0] as JobArgument | undefined;
    return command === undefined || argument === undefined || keyOf(argument) === undefined
      ? []
      : [{ from: range.start.line, to: lastLine(data) ?? range.end.line, command: command.command, argument }];
  });
}

/** The last line of a lens's job: the range of the lens is where editors show it, at the first. */
function lastLine(data: unknown): number | undefined {
  const last = typeof data === "object" && data !== null && "lastLine" in data ? data.lastLine : undefined;
  return typeof last === "number" ? last : undefined;
}

/** Saves the changed .aurora files; false if one could not be. */
async function saveAll(): Promise<boolean> {
  const changed = workspace.textDocuments.filter(
    (it) => it.languageId === "aurora" && it.isDirty && it.uri.scheme === "file",
  );
  const saved = await Promise.all(changed.map((it) => it.save()));
  return saved.every(Boolean);
}

