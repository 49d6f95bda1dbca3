/** What a verb may ask of its call: the compiler refuses the lines marked so. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseInvocation } from "../../src/cli/parse.ts";
import { silent } from "../../src/events/index.ts";
import type { Output } from "../../src/verbs/index.ts";
import { command, type Invocation, type OptionSpecification } from "../../src/verbs/shared/command.ts";

const SHARED = [
  { flags: "-s, --shared <TEXT>", summary: "of several verbs" },
] as const satisfies readonly OptionSpecification[];

const shared = (invocation: Invocation<typeof SHARED>) => invocation.option("shared");

const read: unknown[] = [];

const example = command({
  arguments: [{ name: "NAME", summary: "a name" }],
  options: [
    { flags: "-o, --output <FILE>", summary: "needed", required: true },
    { flags: "--size <SIZE>", summary: "a value", excludes: ["wipe"] },
    { flags: "--karg <ARG>", summary: "a list", repeat: true },
    { flags: "--wipe", summary: "a flag" },
    { flags: "--no-upgrade", summary: "taken away", needs: ["wipe"] },
    { flags: "--form [FORM]", summary: "with or without a value" },
    ...SHARED,
  ],
  examples: ["sealroot example"],
  async run(invocation) {
    read.push(
      invocation.argument("NAME"),
      invocation.required("output"),
      invocation.option("size"),
      invocation.list("karg"),
      invocation.flag("wipe"),
      invocation.negated("upgrade"),
      invocation.option("form"),
      shared(invocation),
    );
    if (read.length > 100) {
      // @ts-expect-error a name that is not declared
      invocation.option("sise");
      // @ts-expect-error a flag has no value
      invocation.option("wipe");
      // @ts-expect-error a value is not a flag
      invocation.flag("size");
      // @ts-expect-error what may be left out
      invocation.required("size");
      // @ts-expect-error given once at most
      invocation.list("size");
      // @ts-expect-error another argument
      invocation.argument("IMAGE");
    }
  },
});

command({
  options: [{ flags: "--other <TEXT>", summary: "not the shared one" }],
  examples: ["sealroot other"],
  async run(invocation) {
    // @ts-expect-error the function reads an option that this verb does not have
    shared(invocation);
  },
});

const ENTRY = { path: ["example"], summary: "Do it", load: async () => example };
const output: Output = { line: () => {}, bytes: async () => {}, json: () => {}, remark: () => {} };

async function runWith(...words: string[]): Promise<unknown[]> {
  const parsed = parseInvocation(ENTRY, example, words);
  assert.ok(parsed.type === "run");
  read.length = 0;
  await example.run(parsed.invocation(output, silent));
  return [...read];
}

test("a verb reads what was given", async () => {
  const words = ["name", "-o", "file", "--karg", "a", "--karg", "b", "--wipe", "--no-upgrade", "--shared", "text"];
  assert.deepEqual(await runWith(...words), ["name", "file", undefined, ["a", "b"], true, true, undefined, "text"]);
  const least = ["name", "-o", "file", "--size", "3", "--form", "full"];
  assert.deepEqual(await runWith(...least), ["name", "file", "3", [], false, false, "full", undefined]);
});

test("options that exclude or need each other are refused before the verb runs", () => {
  const refusals: [string[], string][] = [
    [["--size", "3", "--wipe"], "--size and --wipe exclude each other"],
    [["--no-upgrade"], "--no-upgrade needs --wipe"],
  ];
  for (const [words, message] of refusals) {
    assert.throws(() => parseInvocation(ENTRY, example, ["name", "-o", "file", ...words]), {
      code: "usage",
      message,
      data: { hint: "run: sealroot example --help" },
    });
  }
});
