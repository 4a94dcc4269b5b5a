/** How the server is, in the status bar of .aurora files. */

import { type Disposable, LanguageStatusSeverity, languages } from "vscode";
import type { Condition } from "./server";

/** Shows each condition that it is given. */
export function createStatus(): Disposable & { show(condition: Condition): void } {
  const item = languages.createLanguageStatusItem("aurora.server", { language: "aurora" });
  item.name = "Aurora";
  return {
    show(condition) {
      item.busy = condition.kind === "searching" || condition.kind === "starting";
      item.severity = LanguageStatusSeverity.Information;
      item.command = { command: "aurora.showLog", title: "Show Log" };
      item.detail = "";
      switch (condition.kind) {
        case "searching":
        case "starting":
          item.text = "Aurora: starting";
          break;
        case "running":
          item.text = `Aurora ${condition.version}`.trim();
          break;
        case "stopped":
          item.text = "Aurora: no language server";
          item.severity = LanguageStatusSeverity.Error;
          item.detail = condition.reason ?? "";
          item.command = { command: "aurora.restartServer", title: "Restart" };
          break;
      }
    },
    dispose: () => item.dispose(),
  };
}
