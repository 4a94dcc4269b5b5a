/**
 * Holds the grammar to the files in `test/grammar`. There a line of carets names what the marked part
 * of the line of code above it must be: `#   ^^^ one.scope another -not.this`. `#<--` marks from the
 * first column on, as many characters as it has dashes.
 */

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { OnigScanner, OnigString, loadWASM } from "vscode-oniguruma";
import { INITIAL, Registry, type IGrammar, type IToken, type StateStack, parseRawGrammar } from "vscode-textmate";

const top = path.join(__dirname, "..");

async function grammar(): Promise<IGrammar> {
  await loadWASM(readFileSync(require.resolve("vscode-oniguruma/release/onig.wasm")));
  const registry = new Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (sources) => new OnigScanner(sources),
      createOnigString: (text) => new OnigString(text),
    }),
    loadGrammar: async (scope) => {
      assert.equal(scope, "source.aurora");
      const file = path.join(top, "syntaxes", "aurora.tmLanguage.json");
      return parseRawGrammar(readFileSync(file, "utf8"), file);
    },
  });
  const loaded = await registry.loadGrammar("source.aurora");
  assert.ok(loaded);
  return loaded;
}

const loaded = grammar();

/** Marked columns, and the scopes that must and must not be there. */
interface Mark {
  readonly from: number;
  readonly to: number;
  readonly scopes: readonly string[];
}

function mark(line: string): Mark | undefined {
  const found = /^#(?:<(-+)|( *)(\^+)) +(\S.*)$/.exec(line);
  if (found === null) {
    return undefined;
  }
  const from = found[1] === undefined ? 1 + (found[2] ?? "").length : 0;
  const length = (found[1] ?? found[3] ?? "").length;
  return { from, to: from + length, scopes: (found[4] ?? "").split(/ +/) };
}

/** Whether a scope is the one asked for, or one within it. */
function isA(scope: string, wanted: string): boolean {
  return scope === wanted || scope.startsWith(`${wanted}.`);
}

/** What is wrong at a mark. */
function faults(tokens: readonly IToken[], wanted: Mark): string[] {
  const found: string[] = [];
  for (let column = wanted.from; column < wanted.to; column++) {
    const scopes = tokens.find((it) => it.startIndex <= column && column < it.endIndex)?.scopes ?? [];
    const isRight = (scope: string): boolean =>
      scope.startsWith("-")
        ? !scopes.some((it) => isA(it, scope.slice(1)))
        : scopes.some((it) => isA(it, scope));
    const wrong = wanted.scopes.filter((scope) => scopes.length === 0 || !isRight(scope));
    if (wrong.length > 0) {
      found.push(`column ${column + 1}: ${wrong.join(" ")} in ${scopes.join(" ")}`);
    }
  }
  return found;
}

for (const name of readdirSync(path.join(top, "test", "grammar"))) {
  test(`grammar: ${name}`, async () => {
    const grammar = await loaded;
    const lines = readFileSync(path.join(top, "test", "grammar", name), "utf8").split("\n");
    let state: StateStack = INITIAL;
    let tokens: readonly IToken[] = [];
    let marks = 0;
    const wrong: string[] = [];
    lines.forEach((line, at) => {
      const wanted = mark(line);
      if (wanted !== undefined) {
        marks += 1;
        wrong.push(...faults(tokens, wanted).map((fault) => `${name}:${at + 1}: ${fault}`));
        return;
      }
      const result = grammar.tokenizeLine(line, state);
      ({ ruleStack: state, tokens } = result);
    });
    assert.ok(marks > 10, "hardly any marks");
    assert.deepEqual(wrong, []);
  });
}

test("grammar: a file of any kind ends in the state in which it began", async () => {
  const grammar = await loaded;
  const { depth } = grammar.tokenizeLine("", INITIAL).ruleStack;
  const repository = path.join(top, "..", "..", "..");
  for (const folder of ["examples", "examples/lib", "examples/stdlib", "stdlib"]) {
    const files = readdirSync(path.join(repository, folder)).filter((name) => name.endsWith(".aurora"));
    assert.ok(files.length > 0, folder);
    for (const file of files) {
      let state: StateStack = INITIAL;
      for (const line of readFileSync(path.join(repository, folder, file), "utf8").split("\n")) {
        const result = grammar.tokenizeLine(line, state);
        state = result.ruleStack;
        const lost = result.tokens.filter((token) => {
          const text = line.slice(token.startIndex, token.endIndex);
          return token.scopes.some((scope) => scope.startsWith("invalid")) && text.trim() !== "";
        });
        assert.deepEqual(lost, [], `${folder}/${file}: ${line}`);
      }
      assert.equal(state.depth, depth, `${folder}/${file}: something is left open`);
    }
  }
});

test("grammar: no line takes long, whatever is in it", async () => {
  const grammar = await loaded;
  const lines = ["{{".repeat(2000), "(".repeat(2000), '"{{a'.repeat(1000), "a.".repeat(3000), " ".repeat(5000) + "x"];
  for (const line of lines) {
    const result = grammar.tokenizeLine(line, INITIAL, 2000);
    assert.equal(result.stoppedEarly, false, line.slice(0, 20));
  }
});
