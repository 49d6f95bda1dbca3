import assert from "node:assert/strict";
import { test } from "node:test";
import { readSources } from "./sources.ts";

/** Names of people's things that keep their capital; commands, options and acronyms pass anyway. */
const PROPER_NAMES = /^(?:Linux|Debian|Secure Boot|Windows)\b/;

/** A name that holds or makes a hint, up to the end of its statement or object. */
const HINT = /\b(?:hint\w*|HINT\w*|\w*Hint)\b(?<text>[\s\S]{0,600}?)(?:;|\n\s*[})])/g;
const LITERAL = /(["`])(?<text>(?:\\.|(?!\1)[^\\])*)\1/g;

/** All literals that a statement about hints holds, messages of errors left out. */
function hintsOf(code: string): string[] {
  return [...code.matchAll(HINT)].flatMap(({ groups }) =>
    [...(groups?.text ?? "").matchAll(LITERAL)]
      .map((literal) => literal.groups?.text ?? "")
      .filter((text) => text.includes(" ") && !text.startsWith("Cannot ")),
  );
}

/** A function that takes a hint, and its place among the parameters. */
const TAKES_HINT = /(?:function (\w+)|const (\w+) =) ?\(([^)]*\bhint\b[^)]*)\)/g;

/** Literals in the arguments after the first of calls of a function that takes a hint; its own errors begin otherwise. */
function argumentHints(code: string): string[] {
  return [...code.matchAll(TAKES_HINT)].flatMap(([, declared, assigned, parameters = ""]) => {
    const before = parameters.split(",").findIndex((parameter) => /^\s*hint\b/.test(parameter));
    const calls = code.matchAll(new RegExp(`\\b${declared ?? assigned}\\(([^;]*?)\\);`, "g"));
    return [...calls].flatMap(([, words = ""]) =>
      [...words.matchAll(LITERAL)]
        .map((literal) => literal.groups?.text ?? "")
        .slice(Math.max(0, before))
        .filter((text) => !text.startsWith("Cannot ")),
    );
  });
}

test("hints have one form: a small letter first, and no period", () => {
  const sources = ["src/**/*.ts", "initramfs/**/*.ts", "examples/**/*.ts"].flatMap(readSources);
  const found = sources.flatMap(({ path, code }) =>
    [...hintsOf(code), ...argumentHints(code)].map((hint) => ({ path, hint })),
  );
  assert.ok(found.length > 100, `only ${found.length} hints seen`);
  const wrong = found.filter(({ hint }) => {
    const isSentence = /^[A-Z][a-z]/.test(hint) && !PROPER_NAMES.test(hint);
    return isSentence || /[^.…]\.$/.test(hint);
  });
  assert.deepEqual(wrong, []);
});

test("the test of hints sees constants, properties, choices and functions", () => {
  const code = `const hint = "A one"; f({ path, hint: x ? "B two" : \`C one\` });
  function hintFor() { return "D three";
  }
  throw new SealrootError("usage", "Cannot go", { hint: "E four." });`;
  const called = `const refuse = (reason: string, hint?: string) => x; refuse("Not this", "F five");`;
  assert.deepEqual(argumentHints(called), ["F five"]);
  assert.deepEqual(hintsOf(code), ["A one", "B two", "C one", "D three", "E four."]);
});
