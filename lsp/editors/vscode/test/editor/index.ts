/**
 * A stand-in for VS Code in tests: as much of its interface (`vscode.d.ts`) as the language client and
 * the extension use, without windows. A test opens files in it, types, asks the providers that the
 * client has registered, and sees what is shown to a person.
 *
 * `VS Code's own` code that runs on it is `vscode-languageclient` whole: it makes the requests of the
 * documents and events here, and VS Code's values of the answers.
 */

import { existsSync, readFileSync } from "node:fs";
import Module from "node:module";
import * as values from "./values";

const { Disposable, EventEmitter, Position, Range, Uri } = values;

type Uri = values.Uri;
type Position = values.Position;
type Range = values.Range;

/** How long what is waited for may take on a busy machine. */
export const PATIENCE_MS = 30_000;

/** Waits until something holds, looking again after each turn of events. */
export async function until<T>(what: string, look: () => T | undefined | false | null): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false && found !== null) {
      return found;
    }
    if (Date.now() > deadline) {
      throw new Error(`waited in vain for ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A text that is open. */
export class Document {
  version = 1;
  isClosed = false;
  isDirty = false;
  readonly isUntitled: boolean;
  readonly eol = values.EndOfLine.LF;
  readonly encoding = "utf8";

  constructor(
    readonly uri: Uri,
    readonly languageId: string,
    private text: string,
  ) {
    this.isUntitled = uri.scheme === "untitled";
  }

  get fileName(): string {
    return this.uri.fsPath;
  }

  get lineCount(): number {
    return this.text.split("\n").length;
  }

  getText(range?: Range): string {
    return range === undefined ? this.text : this.text.slice(this.offsetAt(range.start), this.offsetAt(range.end));
  }

  lineAt(at: number | Position): { text: string; range: Range } {
    const line = typeof at === "number" ? at : at.line;
    const text = this.text.split("\n")[line] ?? "";
    return { text, range: new Range(line, 0, line, text.length) };
  }

  offsetAt(at: Position): number {
    const before = this.text.split("\n").slice(0, at.line);
    return Math.min(before.reduce((sum, line) => sum + line.length + 1, 0) + at.character, this.text.length);
  }

  positionAt(offset: number): Position {
    const lines = this.text.slice(0, offset).split("\n");
    return new Position(lines.length - 1, lines.at(-1)?.length ?? 0);
  }

  /** The place of a text that stands here once, plus as many characters. */
  find(wanted: string, plus = 0): Position {
    const at = this.text.indexOf(wanted);
    if (at < 0 || this.text.includes(wanted, at + 1)) {
      throw new Error(`${JSON.stringify(wanted)} is not there once in:\n${this.text}`);
    }
    return this.positionAt(at + plus);
  }

  set(text: string): void {
    this.text = text;
    this.version += 1;
    this.isDirty = true;
  }

  save(): Promise<boolean> {
    this.isDirty = false;
    return Promise.resolve(true);
  }
}

/** What was shown to the person, and what was asked of them. */
export interface Shown {
  readonly kind: "error" | "warning" | "information";
  readonly text: string;
  readonly choices: readonly string[];
}

interface Change {
  readonly range: Range;
  readonly text: string;
}

type Provider = Record<string, (...args: unknown[]) => unknown>;

class Channel {
  readonly lines: string[] = [];
  shown = 0;
  readonly logLevel = values.LogLevel.Info;
  private readonly levels = new EventEmitter<values.LogLevel>();
  readonly onDidChangeLogLevel = this.levels.event;

  constructor(readonly name: string) {}

  readonly append = (text: string): void => void this.lines.push(text);
  readonly appendLine = this.append;
  readonly trace = this.append;
  readonly debug = this.append;
  readonly info = this.append;
  readonly warn = this.append;
  readonly error = (text: string | Error): void => this.append(String(text));
  readonly clear = (): void => void this.lines.splice(0);
  readonly replace = (text: string): void => void this.lines.splice(0, this.lines.length, text);
  readonly show = (): void => void (this.shown += 1);
  readonly hide = (): void => undefined;
  readonly dispose = (): void => undefined;
}

/** The editor. There is one in a process, as the extension is loaded once. */
export class Editor {
  readonly documents: Document[] = [];
  readonly shown: Shown[] = [];
  readonly channels = new Map<string, Channel>();
  readonly commands = new Map<string, (...args: unknown[]) => unknown>();
  readonly diagnostics = new Map<string, values.Diagnostic[]>();
  readonly opened: { document: Document; selection: Range | undefined }[] = [];
  readonly statuses: Record<string, unknown>[] = [];
  readonly settings = new Map<string, unknown>();
  folders: { uri: Uri; name: string; index: number }[] = [];
  /** What the person chooses of each message and list, by what it says. */
  choose: (text: string, choices: readonly string[]) => string | undefined = () => undefined;
  selection = new values.Selection(new Position(0, 0), new Position(0, 0));
  private active: Document | undefined;
  private readonly providers = new Map<string, { selector: unknown; provider: Provider }[]>();
  private readonly contents = new Map<string, Provider>();
  private readonly events = {
    open: new EventEmitter<Document>(),
    close: new EventEmitter<Document>(),
    change: new EventEmitter<unknown>(),
    save: new EventEmitter<Document>(),
    willSave: new EventEmitter<unknown>(),
    configuration: new EventEmitter<unknown>(),
    folders: new EventEmitter<unknown>(),
    active: new EventEmitter<unknown>(),
    visible: new EventEmitter<unknown>(),
    tabs: new EventEmitter<unknown>(),
    never: new EventEmitter<never>(),
  };

  /** Makes `require("vscode")` give this editor. */
  install(): void {
    const api = this.api();
    const loader = Module as unknown as { _load(name: string, ...rest: unknown[]): unknown };
    const load = loader._load;
    loader._load = (name, ...rest) => (name === "vscode" ? api : load.call(Module, name, ...rest));
  }

  /** Opens a file, or a text as if it were that file. */
  open(file: string, text = readFileSync(file, "utf8")): Document {
    return this.openUri(Uri.file(file), text);
  }

  /** Puts the cursor somewhere in the file that is shown. */
  cursor(at: Position): void {
    this.selection = new values.Selection(at, at);
  }

  close(document: Document): void {
    this.documents.splice(this.documents.indexOf(document), 1);
    document.isClosed = true;
    this.events.close.fire(document);
    this.events.tabs.fire({ opened: [], closed: [{}], changed: [] });
  }

  save(document: Document): void {
    document.isDirty = false;
    this.events.save.fire(document);
  }

  /** Replaces a part, as one edit. */
  edit(document: Document, ...changes: Change[]): void {
    let text = document.getText();
    const sorted = [...changes].sort((a, b) => b.range.start.compareTo(a.range.start));
    const contentChanges = sorted.map((change) => {
      const [from, to] = [document.offsetAt(change.range.start), document.offsetAt(change.range.end)];
      text = text.slice(0, from) + change.text + text.slice(to);
      return { ...change, rangeOffset: from, rangeLength: to - from };
    });
    document.set(text);
    this.events.change.fire({ document, contentChanges, reason: undefined });
  }

  /** Types key by key; gives where the cursor then stands. */
  type(document: Document, at: Position, text: string): Position {
    let offset = document.offsetAt(at);
    for (const key of text) {
      const place = document.positionAt(offset);
      this.edit(document, { range: new Range(place, place), text: key });
      offset += key.length;
    }
    return document.positionAt(offset);
  }

  set(name: string, value: unknown): void {
    this.settings.set(name, value);
    this.events.configuration.fire({
      affectsConfiguration: (section: string) => name === section || name.startsWith(`${section}.`),
    });
  }

  /** Asks each provider of a kind that is for a document; gives what is not nothing. */
  ask<T>(kind: string, method: string, document: Document, ...args: unknown[]): Promise<T[]> {
    return this.askWith(kind, method, document, args, []);
  }

  /** The same with arguments behind the token that tells whether somebody still waits. */
  async askWith<T>(
    kind: string,
    method: string,
    document: Document,
    before: unknown[],
    behind: unknown[],
  ): Promise<T[]> {
    const found: T[] = [];
    for (const { selector, provider } of this.providers.get(kind) ?? []) {
      const task = provider[method];
      if (task === undefined || !matches(selector, document)) {
        continue;
      }
      const { token } = new values.CancellationTokenSource();
      const answer = await task.call(provider, document, ...before, token, ...behind);
      if (answer !== undefined && answer !== null) {
        found.push(answer as T);
      }
    }
    return found;
  }

  problems(document: Document): values.Diagnostic[] {
    const end = `|${document.uri.toString()}`;
    return [...this.diagnostics].filter(([key]) => key.endsWith(end)).flatMap(([, all]) => all);
  }

  async run<T>(command: string, ...args: unknown[]): Promise<T> {
    const task = this.commands.get(command);
    if (task === undefined) {
      throw new Error(`command '${command}' not found`);
    }
    return (await task(...args)) as T;
  }

  private openUri(uri: Uri, text: string): Document {
    const known = this.documents.find((it) => it.uri.toString() === uri.toString());
    if (known !== undefined && uri.scheme !== "file") {
      // The text of another scheme is asked for anew where it was said to be another one.
      known.set(text);
    }
    if (known !== undefined) {
      this.show(known);
      return known;
    }
    const languageId = uri.path.endsWith(".aurora") ? "aurora" : "plaintext";
    const document = new Document(uri, languageId, text);
    this.documents.push(document);
    this.events.open.fire(document);
    this.show(document);
    return document;
  }

  private show(document: Document): void {
    this.active = document;
    this.events.active.fire(this.activeEditor());
    this.events.visible.fire([this.activeEditor()]);
    this.events.tabs.fire({ opened: [{}], closed: [], changed: [] });
  }

  private activeEditor(): unknown {
    return this.active === undefined
      ? undefined
      : { document: this.active, selection: this.selection, selections: [this.selection], viewColumn: 1 };
  }

  private say(kind: Shown["kind"], text: string, rest: unknown[]): Promise<unknown> {
    const offered = rest.filter((it) => typeof it === "string" || "title" in (it as object));
    const choices = offered.map((it) => (typeof it === "string" ? it : (it as { title: string }).title));
    this.shown.push({ kind, text, choices });
    const chosen = this.choose(text, choices);
    return Promise.resolve(offered[choices.indexOf(chosen ?? "")]);
  }

  private async openAny(target: unknown): Promise<Document> {
    if (target instanceof Document) {
      return target;
    }
    if (!(target instanceof Uri)) {
      const { content, language } = target as { content: string; language?: string };
      const document = new Document(Uri.parse(`untitled:Untitled-${this.documents.length}`), language ?? "", content);
      this.documents.push(document);
      return document;
    }
    if (target.scheme === "file") {
      return this.openUri(target, readFileSync(target.fsPath, "utf8"));
    }
    const provider = this.contents.get(target.scheme);
    const provide = provider?.["provideTextDocumentContent"];
    if (provide === undefined) {
      throw new Error(`nothing gives the text of ${target.toString()}`);
    }
    const text = await provide.call(provider, target, new values.CancellationTokenSource().token);
    return this.openUri(target, String(text));
  }

  private configuration(section: string | undefined): unknown {
    const full = (name: string): string => (section === undefined || section === "" ? name : `${section}.${name}`);
    const get = (name: string): unknown => {
      const key = full(name);
      if (this.settings.has(key)) {
        return this.settings.get(key);
      }
      const below = [...this.settings].filter(([it]) => it.startsWith(`${key}.`));
      if (below.length === 0) {
        return undefined;
      }
      const tree: Record<string, unknown> = {};
      for (const [name, value] of below) {
        const path = name.slice(key.length + 1).split(".");
        const last = path.pop() as string;
        let at = tree;
        for (const part of path) {
          at = (at[part] ??= {}) as Record<string, unknown>;
        }
        at[last] = value;
      }
      return tree;
    };
    return {
      get: (name: string, otherwise?: unknown) => get(name) ?? otherwise,
      has: (name: string) => get(name) !== undefined,
      inspect: () => undefined,
      update: (name: string, value: unknown) => Promise.resolve(this.set(full(name), value)),
    };
  }

  private apply(edit: values.WorkspaceEdit): Promise<boolean> {
    for (const [uri, edits] of edit.entries()) {
      const document = this.openUri(uri, existsSync(uri.fsPath) ? readFileSync(uri.fsPath, "utf8") : "");
      this.edit(document, ...edits.map(({ range, newText }) => ({ range, text: newText })));
    }
    return Promise.resolve(true);
  }

  private api(): Record<string, unknown> {
    const events = this.events;
    const never = events.never.event;
    const editor = this;
    const register = (kind: string) => (selector: unknown, provider: Provider) => {
      const all = this.providers.get(kind) ?? [];
      const entry = { selector, provider };
      this.providers.set(kind, [...all, entry]);
      return new Disposable(() => {
        this.providers.set(kind, (this.providers.get(kind) ?? []).filter((it) => it !== entry));
      });
    };
    const kinds = [
      "CompletionItem", "Hover", "SignatureHelp", "Definition", "Declaration", "TypeDefinition", "Implementation",
      "Reference", "DocumentHighlight", "DocumentSymbol", "CodeLens", "DocumentLink", "Color",
      "DocumentFormattingEdit", "DocumentRangeFormattingEdit", "Rename", "FoldingRange", "SelectionRange",
      "CallHierarchy", "TypeHierarchy", "LinkedEditingRange", "DocumentSemanticTokens",
      "DocumentRangeSemanticTokens", "OnTypeFormattingEdit", "InlineCompletionItem",
    ].map((kind) => [`register${kind}Provider`, register(kind)] as const);
    return {
      ...values,
      version: "1.100.0",
      env: {
        appName: "a test", language: "en", openExternal: () => Promise.resolve(true),
        clipboard: { writeText: () => Promise.resolve() },
      },
      commands: {
        registerCommand: (name: string, task: (...args: unknown[]) => unknown, self?: unknown) => {
          if (this.commands.has(name)) {
            throw new Error(`command '${name}' already exists`);
          }
          this.commands.set(name, self === undefined ? task : task.bind(self));
          return new Disposable(() => this.commands.delete(name));
        },
        executeCommand: (name: string, ...args: unknown[]) => this.run(name, ...args),
      },
      languages: {
        ...Object.fromEntries(kinds),
        registerCodeActionsProvider: register("CodeActions"),
        registerInlayHintsProvider: register("InlayHints"),
        registerInlineValuesProvider: register("InlineValues"),
        registerWorkspaceSymbolProvider: (provider: Provider) => register("WorkspaceSymbol")(undefined, provider),
        match: (selector: unknown, document: Document) => (matches(selector, document) ? 10 : 0),
        createDiagnosticCollection: (name = "") => ({
          name,
          set: (uri: Uri, all?: values.Diagnostic[]) =>
            void this.diagnostics.set(`${name}|${uri.toString()}`, all ?? []),
          delete: (uri: Uri) => void this.diagnostics.delete(`${name}|${uri.toString()}`),
          has: (uri: Uri) => this.diagnostics.has(`${name}|${uri.toString()}`),
          get: (uri: Uri) => this.diagnostics.get(`${name}|${uri.toString()}`),
          clear: () => this.diagnostics.clear(),
          dispose: () => this.diagnostics.clear(),
        }),
        createLanguageStatusItem: (id: string) => {
          const status = { id, dispose: () => undefined };
          this.statuses.push(status);
          return status;
        },
      },
      workspace: {
        get textDocuments() {
          return editor.documents;
        },
        get workspaceFolders() {
          return editor.folders;
        },
        notebookDocuments: [],
        isTrusted: true,
        fs: {},
        getConfiguration: (section?: string) => this.configuration(section),
        getWorkspaceFolder: (uri: Uri) => this.folders.find((it) => uri.fsPath.startsWith(`${it.uri.fsPath}/`)),
        asRelativePath: (uri: Uri) => uri.fsPath,
        openTextDocument: (target: unknown) => this.openAny(target),
        applyEdit: (edit: values.WorkspaceEdit) => this.apply(edit),
        registerTextDocumentContentProvider: (scheme: string, provider: Provider) => {
          this.contents.set(scheme, provider);
          return new Disposable(() => this.contents.delete(scheme));
        },
        createFileSystemWatcher: () => ({
          onDidCreate: never, onDidChange: never, onDidDelete: never, dispose: () => undefined,
        }),
        onDidOpenTextDocument: events.open.event,
        onDidCloseTextDocument: events.close.event,
        onDidChangeTextDocument: events.change.event,
        onDidSaveTextDocument: events.save.event,
        onWillSaveTextDocument: events.willSave.event,
        onDidChangeConfiguration: events.configuration.event,
        onDidChangeWorkspaceFolders: events.folders.event,
        onDidOpenNotebookDocument: never,
        onDidCloseNotebookDocument: never,
        onDidChangeNotebookDocument: never,
        onDidSaveNotebookDocument: never,
        onDidCreateFiles: never,
        onDidDeleteFiles: never,
        onDidRenameFiles: never,
        onWillCreateFiles: never,
        onWillDeleteFiles: never,
        onWillRenameFiles: never,
        onDidGrantWorkspaceTrust: never,
      },
      window: {
        get activeTextEditor() {
          return editor.activeEditor();
        },
        get visibleTextEditors() {
          return editor.active === undefined ? [] : [editor.activeEditor()];
        },
        get tabGroups() {
          const tabs = editor.documents.map((it) => ({ input: new values.TabInputText(it.uri) }));
          return { all: [{ tabs }], onDidChangeTabs: events.tabs.event, onDidChangeTabGroups: never };
        },
        onDidChangeActiveTextEditor: events.active.event,
        onDidChangeVisibleTextEditors: events.visible.event,
        showErrorMessage: (text: string, ...rest: unknown[]) => this.say("error", text, rest),
        showWarningMessage: (text: string, ...rest: unknown[]) => this.say("warning", text, rest),
        showInformationMessage: (text: string, ...rest: unknown[]) => this.say("information", text, rest),
        showQuickPick: async (items: readonly (string | { label: string })[]) => {
          const labels = items.map((it) => (typeof it === "string" ? it : it.label));
          return items[labels.indexOf(this.choose("", labels) ?? "")];
        },
        showOpenDialog: () => Promise.resolve(undefined),
        showTextDocument: async (target: unknown, options?: { selection?: Range }) => {
          const document = await this.openAny(target);
          this.show(document);
          this.opened.push({ document, selection: options?.selection });
          return this.activeEditor();
        },
        withProgress: (_options: unknown, task: (progress: unknown, token: unknown) => unknown) =>
          task({ report: () => undefined }, new values.CancellationTokenSource().token),
        createOutputChannel: (name: string) => {
          const channel = this.channels.get(name) ?? new Channel(name);
          this.channels.set(name, channel);
          return channel;
        },
      },
    };
  }
}

/** Whether a selector of documents (`vscode.d.ts`) takes one. Patterns are not looked at. */
function matches(selector: unknown, document: Document): boolean {
  if (Array.isArray(selector)) {
    return selector.some((it) => matches(it, document));
  }
  if (typeof selector === "string") {
    return selector === "*" || selector === document.languageId;
  }
  const { language, scheme } = selector as { language?: string; scheme?: string };
  const is = (wanted: string | undefined, has: string): boolean =>
    wanted === undefined || wanted === "*" || wanted === has;
  return is(language, document.languageId) && is(scheme, document.uri.scheme);
}
