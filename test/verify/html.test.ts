/** The page of a verification, as a browser shows it. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { ukiPath } from "../../src/bls/index.ts";
import { run } from "../cli/run-verb.ts";
import { Browser } from "../site/browser.ts";
import { type FixtureDisk, FixtureDisks, TOOL_OBJECT } from "./fixture-disk.ts";

const SCREENS = {
  laptop: { width: 1280, height: 1400, mobile: false },
  phone: { width: 360, height: 740, mobile: true },
};
/** Where pictures are kept for whoever wants to look at them. */
const PICTURES = process.env.SEALROOT_PICTURES;

const disks = new FixtureDisks();
let sealed: FixtureDisk;
let browser: Browser;
before(async () => {
  sealed = await disks.make();
  browser = await Browser.start();
});
after(async () => {
  await browser?.[Symbol.asyncDispose]();
  disks[Symbol.dispose]();
});

async function open(name: string, page: string): Promise<void> {
  for (const [screen, size] of Object.entries(SCREENS)) {
    await browser.setScreen(size);
    await browser.open(pathToFileURL(page).href);
    const [width = 0, shown = 0] = (await browser.evaluate(
      "[document.documentElement.scrollWidth, innerWidth]",
    )) as number[];
    // A scroll bar takes some.
    assert.ok(width > 0 && width <= shown, `${name}: nothing is wider than the ${screen}`);
    if (PICTURES === undefined) continue;
    mkdirSync(PICTURES, { recursive: true });
    writeFileSync(join(PICTURES, `${name}-${screen}.png`), await browser.screenshot());
  }
}

test("a whole chain is drawn, link after link, without scripts or anything from elsewhere", async () => {
  const page = join(disks.folder(), "page.html");
  const { exitCode } = await run("verify", sealed.path, "--html", page);
  assert.equal(exitCode, 0);
  const html = readFileSync(page, "utf8");
  assert.match(html, /^<!DOCTYPE html>/);
  assert.doesNotMatch(html, /<(?:script|img)/);
  assert.doesNotMatch(html, /(?:src|href)="(?!#)/, "nothing from elsewhere");
  await open("whole", page);
  const map = "[...document.querySelectorAll('.map li')].map((item) => item.className + ' ' + item.textContent)";
  assert.deepEqual(await browser.evaluate(map), [
    ...["verified disk", "verified keys", "verified loader", "verified entry", "verified uki", "verified command-line"],
    ...["verified initramfs", "verified image", "unchecked state", "verified objects"],
  ]);
  const dead =
    "[...document.querySelectorAll('a')].filter((link) => document.getElementById(link.hash.slice(1)) === null).length";
  assert.equal(await browser.evaluate(dead), 0);
  assert.match(
    String(await browser.evaluate("document.querySelector('.verdict').textContent")),
    /^verified, but for what is marked unchecked/,
  );
});

test("a broken chain says first where, with what was expected, what was found and the way out", async () => {
  const copy = await disks.copyOf(sealed);
  copy.flipRoot(TOOL_OBJECT, 12_345);
  copy.writeEsp("EFI/Linux/<img src=x onerror=alert(1)>.efi".replace(/[<>]/g, "_"), "MZ");
  copy.writeEsp(`${ukiPath(sealed.deploymentId).slice(1)}.extra.d/evil.cred`, "unit");
  const page = join(disks.folder(), "page.html");
  const { exitCode } = await run("verify", copy.path, "--html", page);
  assert.equal(exitCode, 1);
  await open("broken", page);
  const verdict = String(await browser.evaluate("document.querySelector('.verdict').innerText"));
  assert.match(verdict, /^BROKEN at objects 9 objects: the object of \/usr\/bin\/tool: its content has another digest/);
  for (const field of ["path", "expected", "found", "remedy"]) assert.match(verdict, new RegExp(`^${field}$`, "m"));
  assert.equal(await browser.evaluate("document.querySelectorAll('li.broken > .link').length"), 1);
});

test("names are text, never markup, and the page does not replace what is verified", async () => {
  const page = join(disks.folder(), "page.html");
  const odd = join(disks.folder(), "<b>&\u202e.efi");
  writeFileSync(odd, readFileSync(sealed.path).subarray(0, 0));
  assert.equal((await run("verify", odd, "--html", page)).exitCode, 1);
  writeFileSync(odd, Buffer.from((await disks.copyOf(sealed)).readEsp(ukiPath(sealed.deploymentId).slice(1))));
  assert.equal((await run("verify", odd, "--html", page)).exitCode, 0);
  const html = readFileSync(page, "utf8");
  assert.ok(html.includes("&lt;b&gt;&amp;\\u202e.efi"), html);
  assert.ok(!html.includes("<b>"));
  const { exitCode, err } = await run("verify", sealed.path, "--html", sealed.path);
  assert.deepEqual([exitCode, /Cannot write page .*: it is what is verified/.test(err)], [2, true], err);
});
