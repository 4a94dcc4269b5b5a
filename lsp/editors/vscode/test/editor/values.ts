/**
 * The plain values of VS Code's interface (`vscode.d.ts`): places, edits, results of requests. Only
 * what the language client and the extension use of them.
 */

import { URI } from "vscode-uri";

export { URI as Uri };

export class Position {
  constructor(readonly line: number, readonly character: number) {}

  isBefore(other: Position): boolean {
    return this.compareTo(other) < 0;
  }

  isEqual(other: Position): boolean {
    return this.compareTo(other) === 0;
  }

  compareTo(other: Position): number {
    return this.line - other.line || this.character - other.character;
  }
}

export class Range {
  readonly start: Position;
  readonly end: Position;

  constructor(start: Position, end: Position);
  constructor(startLine: number, startCharacter: number, endLine: number, endCharacter: number);
  constructor(a: Position | number, b: Position | number, c?: number, d?: number) {
    const [start, end] =
      a instanceof Position
        ? [a, b as Position]
        : [new Position(a, b as number), new Position(c as number, d as number)];
    this.start = start.compareTo(end) <= 0 ? start : end;
    this.end = this.start === start ? end : start;
  }

  get isEmpty(): boolean {
    return this.start.isEqual(this.end);
  }

  contains(at: Position | Range): boolean {
    return at instanceof Range
      ? this.contains(at.start) && this.contains(at.end)
      : this.start.compareTo(at) <= 0 && at.compareTo(this.end) <= 0;
  }
}

export class Selection extends Range {
  constructor(readonly anchor: Position, readonly active: Position) {
    super(anchor, active);
  }
}

export class Location {
  readonly range: Range;

  constructor(readonly uri: URI, at: Range | Position) {
    this.range = at instanceof Range ? at : new Range(at, at);
  }
}

export class Disposable {
  constructor(private readonly task: () => unknown) {}

  static from(...all: { dispose(): unknown }[]): Disposable {
    return new Disposable(() => all.forEach((it) => it.dispose()));
  }

  dispose(): void {
    this.task();
  }
}

export type Listener<T> = (value: T) => unknown;

export class EventEmitter<T> {
  private readonly listeners = new Set<Listener<T>>();

  readonly event = (listener: Listener<T>, self?: unknown, all?: Disposable[]): Disposable => {
    const bound: Listener<T> = self === undefined ? listener : listener.bind(self);
    this.listeners.add(bound);
    const disposable = new Disposable(() => this.listeners.delete(bound));
    all?.push(disposable);
    return disposable;
  };

  fire(value: T): void {
    [...this.listeners].forEach((listener) => listener(value));
  }

  dispose(): void {
    this.listeners.clear();
  }
}

export class CancellationError extends Error {}

export class CancellationTokenSource {
  private readonly asked = new EventEmitter<void>();
  readonly token = {
    isCancellationRequested: false,
    onCancellationRequested: this.asked.event,
  };

  cancel(): void {
    if (!this.token.isCancellationRequested) {
      this.token.isCancellationRequested = true;
      this.asked.fire();
    }
  }

  dispose(): void {
    this.asked.dispose();
  }
}

export class TextEdit {
  constructor(readonly range: Range, readonly newText: string) {}

  static replace(range: Range, text: string): TextEdit {
    return new TextEdit(range, text);
  }

  static insert(at: Position, text: string): TextEdit {
    return new TextEdit(new Range(at, at), text);
  }

  static delete(range: Range): TextEdit {
    return new TextEdit(range, "");
  }
}

export class SnippetString {
  constructor(public value = "") {}
}

export class SnippetTextEdit {
  constructor(readonly range: Range, readonly snippet: SnippetString) {}
}

export class MarkdownString {
  isTrusted: unknown;
  supportHtml: unknown;

  constructor(public value = "") {}

  appendMarkdown(text: string): this {
    this.value += text;
    return this;
  }

  appendCodeblock(text: string, language = ""): this {
    return this.appendMarkdown(`\n\`\`\`${language}\n${text}\n\`\`\`\n`);
  }
}

/** What is to be changed in which files. Whole files are not made or removed here. */
export class WorkspaceEdit {
  private readonly all = new Map<string, [URI, TextEdit[]]>();

  set(uri: URI, edits: readonly (TextEdit | [TextEdit, unknown])[]): void {
    this.all.set(uri.toString(), [uri, edits.map((it) => (Array.isArray(it) ? it[0] : it))]);
  }

  replace(uri: URI, range: Range, text: string): void {
    const known = this.all.get(uri.toString())?.[1] ?? [];
    this.set(uri, [...known, TextEdit.replace(range, text)]);
  }

  insert(uri: URI, at: Position, text: string): void {
    this.replace(uri, new Range(at, at), text);
  }

  entries(): [URI, TextEdit[]][] {
    return [...this.all.values()];
  }
}

export class CodeActionKind {
  static readonly Empty = new CodeActionKind("");
  static readonly QuickFix = new CodeActionKind("quickfix");
  static readonly Refactor = new CodeActionKind("refactor");
  static readonly RefactorExtract = new CodeActionKind("refactor.extract");
  static readonly RefactorInline = new CodeActionKind("refactor.inline");
  static readonly RefactorMove = new CodeActionKind("refactor.move");
  static readonly RefactorRewrite = new CodeActionKind("refactor.rewrite");
  static readonly Source = new CodeActionKind("source");
  static readonly SourceFixAll = new CodeActionKind("source.fixAll");
  static readonly SourceOrganizeImports = new CodeActionKind("source.organizeImports");
  static readonly Notebook = new CodeActionKind("notebook");

  constructor(readonly value: string) {}

  append(part: string): CodeActionKind {
    return new CodeActionKind(this.value === "" ? part : `${this.value}.${part}`);
  }

  contains(other: CodeActionKind): boolean {
    return this.value === "" || other.value === this.value || other.value.startsWith(`${this.value}.`);
  }
}

/** A class whose constructor takes its fields in order. */
function record(...fields: string[]): new (...values: unknown[]) => Record<string, unknown> {
  return class {
    [field: string]: unknown;

    constructor(...values: unknown[]) {
      fields.forEach((field, at) => {
        this[field] = values[at];
      });
    }
  };
}

export class Diagnostic extends record("range", "message", "severity") {}
export class DiagnosticRelatedInformation extends record("location", "message") {}
export class CompletionItem extends record("label", "kind") {}
export class CompletionList extends record("items", "isIncomplete") {}
export class Hover extends record("contents", "range") {}
export class SignatureHelp extends record() {}
export class SignatureInformation extends record("label", "documentation") {}
export class ParameterInformation extends record("label", "documentation") {}
export class CodeAction extends record("title", "kind") {}
export class CodeLens extends record("range", "command") {}
export class DocumentLink extends record("range", "target") {}
export class DocumentSymbol extends record("name", "detail", "kind", "range", "selectionRange") {}
export class SymbolInformation extends record("name", "kind", "containerName", "location") {}
export class DocumentHighlight extends record("range", "kind") {}
export class FoldingRange extends record("start", "end", "kind") {}
export class SelectionRange extends record("range", "parent") {}
export class SemanticTokens extends record("data", "resultId") {}
export class SemanticTokensEdit extends record("start", "deleteCount", "data") {}
export class SemanticTokensEdits extends record("edits", "resultId") {}
export class SemanticTokensLegend extends record("tokenTypes", "tokenModifiers") {}
export class InlayHint extends record("position", "label", "kind") {}
export class InlayHintLabelPart extends record("value") {}
export class LinkedEditingRanges extends record("ranges", "wordPattern") {}
export class CallHierarchyItem extends record("kind", "name", "detail", "uri", "range", "selectionRange") {}
export class CallHierarchyIncomingCall extends record("from", "fromRanges") {}
export class CallHierarchyOutgoingCall extends record("to", "fromRanges") {}
export class TypeHierarchyItem extends record("kind", "name", "detail", "uri", "range", "selectionRange") {}
export class InlineCompletionItem extends record("insertText", "range", "command") {}
export class InlineCompletionList extends record("items") {}
export class RelativePattern extends record("baseUri", "pattern") {}
export class ThemeColor extends record("id") {}
export class ThemeIcon extends record("id") {}
export class TabInputText extends record("uri") {}
export class TabInputTextDiff extends record("original", "modified") {}
export class TabInputCustom extends record("uri", "viewType") {}
export class TabInputNotebook extends record("uri", "notebookType") {}

export enum DiagnosticSeverity { Error, Warning, Information, Hint }
export enum DiagnosticTag { Unnecessary = 1, Deprecated }
export enum CompletionItemKind {
  Text, Method, Function, Constructor, Field, Variable, Class, Interface, Module, Property, Unit, Value, Enum,
  Keyword, Snippet, Color, File, Reference, Folder, EnumMember, Constant, Struct, Event, Operator, TypeParameter,
}
export enum CompletionItemTag { Deprecated = 1 }
export enum CompletionTriggerKind { Invoke, TriggerCharacter, TriggerForIncompleteCompletions }
export enum SignatureHelpTriggerKind { Invoke = 1, TriggerCharacter, ContentChange }
export enum CodeActionTriggerKind { Invoke = 1, Automatic }
export enum DocumentHighlightKind { Text, Read, Write }
export enum SymbolKind {
  File, Module, Namespace, Package, Class, Method, Property, Field, Constructor, Enum, Interface, Function,
  Variable, Constant, String, Number, Boolean, Array, Object, Key, Null, EnumMember, Struct, Event, Operator,
  TypeParameter,
}
export enum SymbolTag { Deprecated = 1 }
export enum FoldingRangeKind { Comment = 1, Imports, Region }
export enum InlayHintKind { Type = 1, Parameter }
export enum TextDocumentSaveReason { Manual = 1, AfterDelay, FocusOut }
export enum TextDocumentChangeReason { Undo = 1, Redo }
export enum ProgressLocation { SourceControl = 1, Window = 10, Notification = 15 }
export enum LanguageStatusSeverity { Information, Warning, Error }
export enum LogLevel { Off, Trace, Debug, Info, Warning, Error }
export enum FileType { Unknown, File, Directory, SymbolicLink = 64 }
export enum InlineCompletionTriggerKind { Invoke, Automatic }
export enum NotebookCellKind { Markup = 1, Code }
export enum ConfigurationTarget { Global = 1, Workspace, WorkspaceFolder }
export enum ViewColumn { Beside = -2, Active = -1, One = 1 }
export enum EndOfLine { LF = 1, CRLF }
