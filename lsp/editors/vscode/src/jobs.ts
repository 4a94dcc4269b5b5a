/** Which job a command is about when a person has named none: that of the lens at the cursor. */

/** What the server's commands take: a file, and a job of it. */
export interface JobArgument {
  readonly uri: string;
  readonly job?: string;
}

/** A lens of the server: a command and its job, over some lines. */
export interface Lens {
  readonly from: number;
  readonly to: number;
  readonly command: string;
  readonly argument: JobArgument;
}

/**
 * The lenses of a command that may be meant at a line, one for each job: those whose lines hold it,
 * of these the innermost; or else all, to choose from.
 */
export function candidates(lenses: readonly Lens[], command: string, line: number): readonly Lens[] {
  const seen = new Set<string>();
  const all = lenses.filter((lens) => {
    const label = labelOf(lens.argument);
    const isNew = lens.command === command && !seen.has(label);
    if (isNew) {
      seen.add(label);
    }
    return isNew;
  });
  const around = all.filter((lens) => lens.from <= line && line <= lens.to);
  const least = Math.min(...around.map((lens) => lens.to - lens.from));
  const innermost = around.filter((lens) => lens.to - lens.from === least);
  return innermost.length > 0 ? innermost : all;
}

/** The key of the job of an argument, if it has one. */
export function keyOf(argument: unknown): string | undefined {
  const job = typeof argument === "object" && argument !== null && "job" in argument ? argument.job : undefined;
  return typeof job === "string" ? job : undefined;
}

/** What people call the job of an argument: its key, or else its file. */
export function labelOf(argument: JobArgument): string {
  return keyOf(argument) ?? decodeURIComponent(argument.uri.slice(argument.uri.lastIndexOf("/") + 1));
}
