import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { COMMANDS } from "../../src/cli/commands.ts";
import { overviewPage, pageName, verbPage } from "../../src/cli/manual/man-page.ts";
import { referencePage } from "../../src/cli/manual/reference-page.ts";
import { verbManuals } from "../../src/cli/manual/verb-manual.ts";
import { runTool, temporaryDirectory } from "../../src/platform/index.ts";
import { run } from "./run-verb.ts";

const FACTS = { version: "1.2.3", date: "2026-11-29" };

test("docs/cli.md is what the table of verbs gives", async () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/cli.md"), "utf8");
  assert.ok(page === referencePage(await verbManuals()), "docs/cli.md is out of date: run ./just reference");
});

test("every verb of the table has a section in docs/cli.md and a manual page", async () => {
  const verbs = await verbManuals();
  const wanted = COMMANDS.filter(({ hidden }) => hidden !== true).map(({ path }) => path.join(" "));
  assert.deepEqual(
    verbs.map(({ path }) => path.join(" ")),
    wanted,
  );
});

test("groff reads every manual page without a warning", async () => {
  using work = temporaryDirectory({ purpose: "test" });
  const verbs = await verbManuals();
  const pages = [overviewPage(verbs, "about it", FACTS), ...verbs.map((verb) => verbPage(verb, FACTS))];
  for (const page of pages) {
    const { stdout, stderr } = await runTool("groff", ["-man", "-ww", "-Tutf8", "-Kutf8"], {
      input: page,
      directory: work.path,
    });
    assert.equal(stderr, "", page);
    assert.match(stdout.toString(), /SEALROOT/);
  }
});

test("a manual page has name, synopsis, options, an example and the exit codes", async () => {
  const verb = (await verbManuals()).find(({ path }) => path.join(" ") === "image tag");
  assert.ok(verb);
  assert.equal(pageName(verb.path), "sealroot-image-tag");
  const sections = [...verbPage(verb, FACTS).matchAll(/^\.SH (.*)$/gm)].map(([, title]) => title);
  assert.deepEqual(sections, ["NAME", "SYNOPSIS", "ARGUMENTS", "OPTIONS", "EXAMPLES", "EXIT STATUS", "SEE ALSO"]);
});

test("help VERB and help GROUP are VERB --help and GROUP --help", async () => {
  for (const words of [["image", "pull"], ["image"]]) {
    const asked = await run("help", ...words);
    assert.deepEqual(asked, await run(...words, "--help"));
    assert.equal(asked.exitCode, 0);
  }
});
