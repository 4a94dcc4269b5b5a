/** The settings that the server is told, as it takes them at its start and at each change. */

/** What gives settings by their names below `aurora`: VS Code's configuration. */
export interface Settings {
  get<T>(name: string): T | undefined;
}

/** `aurora.*` as a tree, without what concerns the extension alone. */
export function forServer(settings: Settings): Record<string, unknown> {
  return {
    clusters: settings.get<string>("clusters") ?? "",
    user: settings.get<string>("user") ?? "",
    env: settings.get<Record<string, string>>("env") ?? {},
    bindings: settings.get<Record<string, string>>("bindings") ?? {},
    hints: {
      templates: settings.get<boolean>("hints.templates") ?? true,
      defaults: settings.get<boolean>("hints.defaults") ?? false,
      types: settings.get<boolean>("hints.types") ?? false,
    },
    cluster: { enabled: settings.get<boolean>("cluster.enabled") ?? false },
  };
}

/** The words behind the program's name that start the server. */
export function words(settings: Settings): string[] {
  const log = (settings.get<string>("server.log") ?? "").trim();
  return log === "" ? ["lsp"] : ["lsp", "--log", log];
}
