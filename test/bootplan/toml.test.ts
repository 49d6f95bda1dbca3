import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parse as parseWithLibrary, TomlError } from "smol-toml";
import { parseToml, type TomlTable } from "../../src/bootplan/index.ts";
import { SealrootError } from "../../src/errors/index.ts";

function plain(table: TomlTable): Record<string, unknown> {
  return Object.fromEntries([...table].map(([key, value]) => [key, value instanceof Map ? plain(value) : value]));
}

const library = (text: string) =>
  JSON.parse(JSON.stringify(parseWithLibrary(text, { integersAsBigInt: true }), bigToText));
const ours = (text: string) => JSON.parse(JSON.stringify(plain(parseToml(text)), bigToText));
const bigToText = (_: string, value: unknown) => (typeof value === "bigint" ? `${value}n` : value);

test("parseToml() reads what setup-root-conf.toml holds as the library does", () => {
  const texts = [
    "",
    '# c\n[etc]\nmount = "bind"  # c\n\n[root]\r\n\ttransient=true\n',
    'etc.mount = \'over\\lay\'\nvar . "mount" = "a\\n\\u00e4\\\\\\""\n',
    "[a.b]\nx = 1_000\ny = -0\n[a]\nz = +12\n[a.'c d']\n-1_ = false\n",
  ];
  for (const text of texts) assert.deepEqual(ours(text), library(text), text);
});

test("parseToml() refuses invalid TOML, or TOML it does not know, with the line", () => {
  const cases: [string, RegExp][] = [
    ["a = 1\nb", /line 2: "=" is missing/],
    ["a = 1\n\na = 2", /line 3: the key "a" is given twice/],
    ["[a]\n[a]", /line 2: the table is given twice/],
    ["a = 1\n[a]", /line 2: "a" is a value already/],
    ["[a", /line 1: "\]" is missing/],
    ["[[a]]", /arrays of tables/],
    ["a = [1]", /only strings/],
    ["a = 1.5", /only strings/],
    ["a = 01", /only strings/],
    ['a = """x"""', /several lines/],
    ['a = "\\q"', /the escape "\\q" is unknown/],
    ["a = trueish", /only strings/],
    ["a = true b", /unexpected text/],
    ["= 1", /a key is expected/],
  ];
  for (const [text, message] of cases) assert.throws(() => parseToml(text), { code: "corrupt", message }, text);
});

test("parseToml() never reads a text differently from the library", () => {
  const fragment = fc.constantFrom(
    "[",
    "]",
    "a",
    "b.c",
    '"k"',
    "'l'",
    "=",
    " = ",
    "true",
    "1",
    '"s"',
    "#",
    "\n",
    " ",
    ".",
    "\\n",
    '"',
  );
  fc.assert(
    fc.property(fc.array(fragment, { maxLength: 14 }), (fragments) => {
      const text = fragments.join("");
      let result: unknown;
      try {
        result = ours(text);
      } catch (error) {
        assert.ok(error instanceof SealrootError);
        return;
      }
      try {
        assert.deepEqual(result, library(text), text);
      } catch (error) {
        if (!(error instanceof TomlError)) throw error;
        assert.fail(`accepted ${JSON.stringify(text)}, which the library refuses: ${error.message}`);
      }
    }),
    { numRuns: 5000 },
  );
});
