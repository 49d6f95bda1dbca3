import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { type LabelledKind, parseSelinuxPolicy, selinuxTypeOf } from "../../src/selinux/index.ts";

function policy(contexts: string, ...more: string[]) {
  return parseSelinuxPolicy({
    contexts: [contexts, ...more].map((text, index) => ({ path: `file_contexts.${index}`, bytes: Buffer.from(text) })),
    substitutions: [],
  });
}

function label(contexts: string, path: string, kind: LabelledKind = "file"): string | undefined {
  const found = policy(contexts).labelOf(byteStringOfText(path), kind);
  return found === undefined ? undefined : Buffer.from(found).toString();
}

test("labelOf() lets the last matching rule of all files decide", () => {
  const rules = policy("/.* one\n/a two\n", "/a.* three\n", "/abc <<none>>\n");
  const at = (path: string) => rules.labelOf(byteStringOfText(path), "file");
  assert.equal(String(at("/x")), "one");
  assert.equal(String(at("/a")), "three");
  assert.equal(at("/abc"), undefined);
  assert.equal(at("relative"), undefined);
});

test("labelOf() matches the file type", () => {
  const rules = "/x -- file\n/x -d directory\n/x -l link\n/x -c char\n/x -b block\n/x -p pipe\n/x -s socket\n";
  const kinds: [LabelledKind, string][] = [
    ["file", "file"],
    ["directory", "directory"],
    ["symlink", "link"],
    ["character-device", "char"],
    ["block-device", "block"],
    ["fifo", "pipe"],
    ["socket", "socket"],
  ];
  for (const [kind, expected] of kinds) assert.equal(label(rules, "/x", kind), expected);
});

test("labelOf() understands the expressions of real policies", () => {
  const cases: [regex: string, matches: string[], others: string[]][] = [
    ["/usr/(s)?bin(/.*)?", ["/usr/bin", "/usr/sbin/x", "/usr/bin/a/b"], ["/usr/ssbin", "/usr/binx"]],
    ["/dev/[^/]*tty[0-9]+", ["/dev/tty1", "/dev/xtty22"], ["/dev/tty", "/dev/a/tty1"]],
    ["/lib/[^/]+\\.so(\\.[^/]*)*", ["/lib/a.so", "/lib/a.so.1.2"], ["/lib/axso"]],
    ["/(a|bc)?/x|/y", ["//x", "/bc/x", "/y"], ["/b/x", "/y/x"]],
    ["/n.n", ["/n\nn", "/nén".replace("é", "-")], ["/nn"]],
    ["/é?x", ["/éx", "/x"], ["/\u00c3x"]],
    ["/[[:alpha:]_-]+", ["/aZ_-"], ["/1"]],
    ["/[]a]+", ["/]a"], ["/b"]],
    ["/a{2,3}/b{2}/c{1,}", ["/aa/bb/c", "/aaa/bb/ccc"], ["/a/bb/c", "/aaaa/bb/c", "/aa/b/c"]],
    ["/\\d\\w\\S\\x41\\x{42}\\+", ["/1a!AB+"], ["/aa!AB+"]],
    ["^/a", ["/a"], []],
    ["/a$", [], ["/a"]],
    ["/(?P<name>a)(?:b)", ["/ab"], ["/a"]],
    ["/a.*?b", ["/ab", "/axxb"], ["/axxc"]],
    ["/(?!b).*", ["/a", "/"], ["/b", "/bc", "/a\nb"]],
    ["/x{", ["/x{"], []],
  ];
  for (const [regex, matches, others] of cases) {
    const rules = policy(`${regex} yes\n`);
    const at = (path: string) => rules.labelOf(byteStringOfText(path), "file") !== undefined;
    for (const path of matches) assert.ok(at(path), `${regex} should match ${JSON.stringify(path)}`);
    for (const path of others) assert.ok(!at(path), `${regex} should not match ${JSON.stringify(path)}`);
  }
});

test("labelOf() weighs rules with look-around among the others", () => {
  const rules = "/a.* first\n/(?=ab).* second\n/ab third\n/(?=z).* fourth\n";
  assert.equal(label(rules, "/abc"), "second");
  assert.equal(label(rules, "/ab"), "third");
  assert.equal(label(rules, "/z"), "fourth");
  assert.equal(label(rules, "/ac"), "first");
});

test("parseSelinuxPolicy() names file, line and reason of what it refuses", () => {
  const cases: [string, string, string][] = [
    ["/a", "corrupt", "a rule without a context"],
    ["/a --", "corrupt", "a rule without a context"],
    ["/a -x c", "corrupt", 'unknown file type "-x"'],
    ["/a -- c more", "corrupt", "more than expression, type and context"],
    ["/a( c", "corrupt", "unclosed group"],
    ["/a) c", "corrupt", "unopened group"],
    ["/[a c", "corrupt", "unclosed class"],
    ["/[z-a] c", "corrupt", "a class range with its ends in the wrong order"],
    ["* c", "corrupt", '"*" without anything to repeat'],
    ["/a\\ c", "corrupt", "a backslash at the end"],
    ["/a{3,2} c", "corrupt", "repetition {3,2} with bounds in the wrong order"],
    ["/a++ c", "unsupported", "a quantifier after a quantifier in a regular expression is not supported"],
    ["/(?>a) c", "unsupported", 'the group "(?>a" in a regular expression is not supported'],
    ["/(?i)a c", "unsupported", 'the group "(?i)" in a regular expression is not supported'],
    ["/\\1 c", "unsupported", 'the escape "\\1" in a regular expression is not supported'],
    ["/[a&&b] c", "unsupported", "set arithmetic in a class in a regular expression is not supported"],
    ["/a{1,9999} c", "unsupported", "repetition {1,9999} of more than 1000 in a regular expression is not supported"],
    [`/${"(".repeat(300)} c`, "unsupported", "nesting deeper than 250 in a regular expression is not supported"],
  ];
  for (const [line, code, reason] of cases) {
    const message = `Cannot parse file_contexts.0: line 2: ${reason}`;
    assert.throws(() => policy(`# fine\n${line}\n`), { name: "SealrootError", code, message }, line);
  }
  assert.throws(() => policy("/(((((a{1000}){1000}){1000}){1000})) c\n"), { code: "unsupported" });
  assert.throws(
    () => parseSelinuxPolicy({ contexts: [{ path: "fc", bytes: Uint8Array.of(0xff) }], substitutions: [] }),
    { code: "corrupt", message: "Cannot parse fc: it is not UTF-8" },
  );
});

test("substitute() takes exact paths only and the later file's word", () => {
  const text = (path: string, lines: string) => ({ path, bytes: Buffer.from(lines) });
  const rules = parseSelinuxPolicy({
    contexts: [],
    substitutions: [text("subs", "# c\n/x /a\n/y /b\n"), text("subs_dist", "/x /c\n")],
  });
  const at = (path: string) => rules.substitute(byteStringOfText(path));
  assert.deepEqual([at("/x"), at("/y"), at("/x/sub"), at("/")], ["/c", "/b", "/x/sub", "/"]);
  assert.throws(() => parseSelinuxPolicy({ contexts: [], substitutions: [text("subs", "/x\n")] }), {
    message: "Cannot parse subs: line 1: not an alias and a path",
  });
});

test("selinuxTypeOf() reads the first setting of the type", () => {
  const type = (text: string) => selinuxTypeOf(Buffer.from(text));
  assert.equal(type("# SELINUXTYPE=a\nSELINUX=enforcing\n SelinuxType = mls \nSELINUXTYPE=b\n"), "mls");
  assert.equal(type("SELINUX=enforcing\n"), undefined);
  assert.equal(type("SELINUXTYPE=targeted # c"), "targeted # c");
});

/** Expressions over a small alphabet, for comparison with JavaScript's engine. */
const expression = fc.letrec((tie) => ({
  choice: fc.array(tie("sequence"), { minLength: 1, maxLength: 3 }).map((parts) => parts.join("|")),
  sequence: fc.array(tie("repeated"), { maxLength: 4 }).map((parts) => parts.join("")),
  repeated: fc
    .tuple(tie("atom"), fc.constantFrom("", "", "?", "*", "+", "{2}", "{1,2}", "*?"))
    .map(([atom, quantifier]) => `${atom}${quantifier}`),
  atom: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    fc.constantFrom("a", "b", "/", ".", "[^/]", "[ab]", "\\.", "\\w"),
    tie("choice").map((inner) => `(${inner})`),
  ),
}));

test("labelOf() agrees with JavaScript's engine on random expressions", () => {
  const path = fc.array(fc.constantFrom("a", "b", "/", ".", "-"), { maxLength: 5 }).map((parts) => parts.join(""));
  fc.assert(
    fc.property(
      fc.array(expression.choice, { minLength: 1, maxLength: 4 }),
      fc.array(path, { maxLength: 5 }),
      (sources, paths) => {
        const usable = (sources as string[]).filter((source) => source !== "");
        const rules = policy(usable.map((source, index) => `${source} rule${index}\n`).join(""));
        for (const each of paths) {
          const expected = usable.findLastIndex((source) => new RegExp(`^(?:${source}).$`, "s").test(`${each}-`));
          const found = rules.labelOf(byteStringOfText(each), "file");
          assert.equal(found === undefined ? -1 : Number(Buffer.from(found).toString().slice(4)), expected);
        }
      },
    ),
    { numRuns: 150 },
  );
});

test("labelOf() takes linear time where a backtracking engine would not return", () => {
  assert.equal(label("/(a|aa)*(a*)*b x\n", `/${"a".repeat(5000)}`), undefined);
});
