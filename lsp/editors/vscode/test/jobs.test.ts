import assert from "node:assert/strict";
import { test } from "node:test";
import { type Lens, candidates, keyOf, labelOf } from "../src/jobs";

function lens(from: number, to: number, job: string, command = "aurora.inspect"): Lens {
  return { from, to, command, argument: { uri: "file:///a/b.aurora", job } };
}

test("the job is that around the cursor, or one is to be chosen", () => {
  const one = lens(5, 9, "c/r/e/one");
  const two = lens(11, 20, "c/r/e/two");
  const inner = lens(12, 14, "c/r/e/inner");
  const same = lens(12, 14, "c/r/f/inner");
  const other = lens(0, 30, "c/r/e/one", "aurora.diff");
  for (const [lenses, line, wanted] of [
    [[one, two], 5, [one]],
    [[one, two], 9, [one]],
    [[one, two], 10, [one, two]],
    [[one, two], 0, [one, two]],
    [[one], 0, [one]],
    [[two, inner], 13, [inner]],
    [[two, inner], 15, [two]],
    // One text that makes several jobs.
    [[two, inner, same], 13, [inner, same]],
    [[one, one, other], 7, [one]],
    [[other], 7, []],
    [[], 7, []],
  ] as const) {
    assert.deepEqual(candidates(lenses, "aurora.inspect", line), wanted);
  }
});

test("a job is called by its key, or else by its file", () => {
  assert.equal(labelOf({ uri: "file:///a/b.aurora", job: "c/r/e/n" }), "c/r/e/n");
  assert.equal(labelOf({ uri: "file:///a/sch%C3%B6n%20b.aurora" }), "schön b.aurora");
  for (const none of [undefined, null, "c/r/e/n", 1, {}, { job: 1 }]) {
    assert.equal(keyOf(none), undefined);
  }
});
