/** `./just site`: what it builds has no dead link, is found by its search, and can be read on a phone. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, normalize } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { Browser } from "./browser.ts";
import { type BuiltPage, readBuiltPages } from "./html.ts";

const CHECKOUT = join(import.meta.dirname, "../..");
/** A small phone of today, and a laptop. */
const PHONE = { width: 360, height: 740, mobile: true };
const LAPTOP = { width: 1280, height: 800, mobile: false };
const TEXT_PX_MIN = 14;

const directory = mkdtempSync(join(tmpdir(), "sealroot-site-"));
const site = join(directory, "site");
let pages: readonly BuiltPage[];
let browser: Browser;

before(async () => {
  // Nothing answers at the proxy: a build that asks the network fails.
  const env = { ...process.env, HTTP_PROXY: "http://127.0.0.1:9", HTTPS_PROXY: "http://127.0.0.1:9" };
  const script = join(CHECKOUT, "scripts/site/build.ts");
  execFileSync(process.execPath, [script, site], { cwd: CHECKOUT, env });
  pages = readBuiltPages(site);
  browser = await Browser.start();
});
after(async () => {
  await browser?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const urlOf = (path: string) => pathToFileURL(join(site, path)).href;

test("every document of the repository is a page, and every page is in the menu of every page", () => {
  const documents = globSync(["README.md", "SECURITY.md", "CHANGELOG.md", "docs/**/*.md"], { cwd: CHECKOUT });
  const expected = documents.map((path) => path.replace(/README\.md$/, "index.html").replace(/\.md$/, ".html"));
  const built = pages.map(({ path }) => path);
  assert.deepEqual(
    expected.filter((path) => !built.includes(path)),
    [],
  );
  for (const { path, links } of pages) {
    const linked = new Set(links.map((link) => normalize(join(dirname(path), link))));
    assert.deepEqual(
      expected.filter((other) => !linked.has(other)),
      [],
      path,
    );
  }
});

test("no link is dead: every file and every anchor inside the site is there, nothing is loaded from elsewhere", () => {
  const anchors = new Map(pages.map((page) => [page.path, page.anchors]));
  const dead: string[] = [];
  let count = 0;
  for (const { path, links } of pages) {
    for (const link of links) {
      if (/^(?:https?|data):/.test(link)) continue;
      count++;
      const [file = "", anchor] = decodeURI(link).split("#");
      const target = file === "" ? path : normalize(join(dirname(path), file));
      const isFile = existsSync(join(site, target)) && statSync(join(site, target)).isFile();
      if (!isFile) dead.push(`${path}: ${link}`);
      else if (anchor !== undefined && anchors.get(target)?.has(anchor) !== true) dead.push(`${path}: ${link}`);
    }
  }
  assert.deepEqual(dead, []);
  assert.ok(count > pages.length * pages.length, `only ${count} links were found`);
  for (const { path, html } of pages) {
    assert.doesNotMatch(html, /<(?:script|link|img|iframe)[^>]*(?:src|href)="(?:https?:)?\/\//, path);
  }
});

test("what the search looks through has a section of every page, each at an anchor that is there", () => {
  const [, json = ""] = /^globalThis\.sealrootSearchText = (.+);$/m.exec(
    readFileSync(join(site, "assets/search-text.js"), "utf8"),
  ) ?? [undefined];
  const sections: readonly { readonly id: string; readonly text: string }[] = JSON.parse(json);
  const anchors = new Map(pages.map((page) => [page.path, page.anchors]));
  const paths = new Set<string>();
  for (const { id } of sections) {
    const [path = "", anchor] = id.split("#");
    paths.add(path);
    assert.ok(anchor === undefined || anchors.get(path)?.has(anchor), id);
  }
  assert.deepEqual([...paths].sort(), pages.map(({ path }) => path).sort());
  assert.ok(sections.some(({ id, text }) => id.startsWith("docs/formats.html") && text.includes("fs-verity")));
});

/** Run in a page: what is too small, too wide, or not there. */
const FAULTS = `(() => {
  const faults = [];
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) faults.push("the page is " + document.documentElement.scrollWidth + " px wide");
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const parent = texts.currentNode.parentElement;
    if (texts.currentNode.data.trim() === "" || !parent.checkVisibility()) continue;
    const size = Number.parseFloat(getComputedStyle(parent).fontSize);
    if (size < ${TEXT_PX_MIN}) faults.push(size + " px: " + texts.currentNode.data.trim().slice(0, 40));
  }
  for (const element of document.querySelectorAll("header, header *, main > *")) {
    const { left, right } = element.getBoundingClientRect();
    if (element.checkVisibility() && !element.closest("search ol") && (left < 0 || right > width + 0.5))
      faults.push(element.tagName + " reaches from " + left + " to " + right);
  }
  return faults;
})()`;

/** Run in a page: opens the menu as a finger does, and says what is to be seen of it. */
const MENU = `(() => {
  const entry = document.querySelector("a.menu");
  const { width, height } = entry.getBoundingClientRect();
  entry.click();
  return new Promise((resolve) => requestAnimationFrame(() => {
    const links = [...document.querySelectorAll("nav li a")].filter((link) => link.checkVisibility());
    const seen = links.filter((link) => link.getBoundingClientRect().right <= innerWidth);
    const first = links[0]?.getBoundingClientRect();
    const onTop = first && document.elementFromPoint(first.left + 5, first.top + 5) === links[0];
    location.hash = "#top";
    requestAnimationFrame(() => resolve({
      canBeTouched: width >= 24 && height >= 24,
      links: seen.length,
      onTop,
      closes: !document.querySelector("nav").checkVisibility(),
    }));
  }));
})()`;

test("every page can be read on a phone, and has its menu", async () => {
  await browser.setScreen(PHONE);
  const faults: Record<string, unknown> = {};
  for (const { path } of pages) {
    await browser.open(urlOf(path));
    const found = await browser.evaluate(FAULTS);
    if (!Array.isArray(found) || found.length > 0) faults[path] = found;
    // The list of schemas is reached from a page, not from the menu.
    const menu = await browser.evaluate(MENU);
    assert.deepEqual(menu, { canBeTouched: true, links: pages.length - 1, onTop: true, closes: true }, path);
  }
  assert.deepEqual(faults, {});
});

test("on a laptop the menu is beside every page", async () => {
  await browser.setScreen(LAPTOP);
  for (const { path } of pages) {
    await browser.open(urlOf(path));
    assert.deepEqual(await browser.evaluate(FAULTS), [], path);
    const menu = await browser.evaluate(`(() => {
      const menu = document.querySelector("nav").getBoundingClientRect();
      const text = document.querySelector("main").getBoundingClientRect();
      return menu.width > 200 && menu.right <= text.left && !document.querySelector("a.menu").checkVisibility();
    })()`);
    assert.equal(menu, true, path);
  }
});

/** Run in a page: types a word into the search, and returns the links that come. */
const searchFor = (word: string) => `(async () => {
  const field = document.querySelector("search input");
  field.focus();
  field.value = ${JSON.stringify(word)};
  field.dispatchEvent(new Event("input"));
  const list = document.getElementById("found");
  while (list.hidden) await new Promise((resolve) => setTimeout(resolve, 20));
  const { left, right } = list.getBoundingClientRect();
  return {
    fits: left >= 0 && right <= innerWidth,
    links: [...list.querySelectorAll("a")].map((link) => link.href),
    text: list.innerText,
  };
})()`;

interface Found {
  readonly fits: boolean;
  readonly links: readonly string[];
  readonly text: string;
}

test("the search finds words from any page, on a phone too, and leads to the section", async () => {
  await browser.setScreen(PHONE);
  await browser.open(urlOf("docs/spec/oci.html"));
  const found = (await browser.evaluate(searchFor("SEALROOT_DEBUG"))) as Found;
  assert.ok(found.fits);
  assert.ok(found.links[0]?.startsWith(urlOf("docs/troubleshooting.html")), found.links.join("\n"));
  assert.match(found.text, /SEALROOT_DEBUG/);
  await browser.open(found.links[0] ?? "");
  const anchor = (found.links[0] ?? "").split("#")[1];
  if (anchor !== undefined) {
    const top = await browser.evaluate(
      `document.getElementById(${JSON.stringify(anchor)}).getBoundingClientRect().top`,
    );
    assert.ok(Number(top) >= 0 && Number(top) < PHONE.height, `the section is at ${top}`);
  }
  const none = (await browser.evaluate(searchFor("zyxwvut"))) as Found;
  assert.deepEqual([none.links, none.text.trim()], [[], "Nothing found"]);
});
