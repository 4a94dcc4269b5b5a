/** Texts that commands have brought, shown as documents that cannot be changed. */

import {
  type Disposable,
  EventEmitter,
  type TextDocumentContentProvider,
  Uri,
  ViewColumn,
  window,
  workspace,
} from "vscode";

const SCHEME = "aurora-result";
/** How many results are remembered: one that was closed may be asked for once more. */
const MAX_RESULTS = 50;

/** What commands have brought, by the name under which it is shown. */
export class Results implements TextDocumentContentProvider, Disposable {
  private readonly texts = new Map<string, string>();
  private readonly changes = new EventEmitter<Uri>();
  private readonly registration = workspace.registerTextDocumentContentProvider(SCHEME, this);

  readonly onDidChange = this.changes.event;

  provideTextDocumentContent(uri: Uri): string {
    return this.texts.get(uri.path) ?? "";
  }

  /** Shows a text beside the file that it is about; a newer one of the same name takes its place. */
  async show(name: string, text: string): Promise<void> {
    const uri = Uri.from({ scheme: SCHEME, path: `/${name}` });
    this.texts.delete(uri.path);
    this.texts.set(uri.path, text);
    const oldest = this.texts.keys().next().value;
    if (this.texts.size > MAX_RESULTS && oldest !== undefined) {
      this.texts.delete(oldest);
    }
    this.changes.fire(uri);
    const document = await workspace.openTextDocument(uri);
    await window.showTextDocument(document, { viewColumn: ViewColumn.Beside, preserveFocus: true, preview: true });
  }

  dispose(): void {
    this.registration.dispose();
    this.changes.dispose();
  }
}
