/** The headers of registries that have a grammar of their own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseChallenges } from "../../src/registry/challenge.ts";
import { parseContentRange, rangeHeader } from "../../src/registry/content-range.ts";
import { nextLink } from "../../src/registry/links.ts";
import { DEFAULT_LIMITS } from "../../src/registry/options.ts";
import { retryDelayMs } from "../../src/registry/retry.ts";

/** Challenges as plain data. */
function challenges(...lines: string[]) {
  return parseChallenges(lines).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
}

test("parseChallenges() reads quoted strings, several challenges in one line or more, whatever the case", () => {
  assert.deepEqual(challenges('Bearer realm="https://a/t?x=1,2",service="b c",scope="repository:a/b:pull,push"'), [
    ["bearer", { realm: "https://a/t?x=1,2", service: "b c", scope: "repository:a/b:pull,push" }],
  ]);
  assert.deepEqual(challenges('BASIC Realm = "a \\"quoted\\" one" , Bearer realm=https://a/t', "Negotiate"), [
    ["basic", { realm: 'a "quoted" one' }],
    ["bearer", { realm: "https://a/t" }],
    ["negotiate", {}],
  ]);
  assert.deepEqual(challenges('Bearer realm="good",realm="evil"'), [["bearer", { realm: "good" }]]);
});

test("parseChallenges() keeps what comes before nonsense", () => {
  assert.deepEqual(challenges(""), []);
  assert.deepEqual(challenges('realm="a"'), []);
  assert.deepEqual(challenges('Basic realm="never ends'), [
    ["basic", {}],
    ["realm", {}],
  ]);
  assert.deepEqual(challenges('Basic realm="a" ☃ Bearer realm="b"'), [["basic", { realm: "a" }]]);
});

test("nextLink() finds the next page among other links", () => {
  assert.equal(nextLink('</v2/a/tags/list?last=b&n=2>; rel="next"'), "/v2/a/tags/list?last=b&n=2");
  assert.equal(nextLink(['<a>; rel="prev"', "<https://x/b>; title=c; rel=next"]), "https://x/b");
  assert.equal(nextLink('<a>; rel="prev", <b,c>; REL="Next"'), "b,c");
  assert.equal(nextLink('<a>; rel="nextest"'), undefined);
  assert.equal(nextLink(undefined), undefined);
});

test("rangeHeader() and parseContentRange() speak of inclusive ends", () => {
  assert.equal(
    rangeHeader([
      { start: 0, end: 1 },
      { start: 5, end: 100 },
    ]),
    "bytes=0-0,5-99",
  );
  assert.deepEqual(parseContentRange("bytes 0-0/100", 100), { start: 0, end: 1 });
  assert.deepEqual(parseContentRange("Bytes 5-99/*", 100), { start: 5, end: 100 });
  for (const wrong of [undefined, "", "bytes 0-0", "bytes 0-100/100", "bytes 2-1/100", "bytes 0-0/99", "bytes */100"]) {
    assert.throws(() => parseContentRange(wrong, 100), { code: "corrupt" }, wrong);
  }
});

test("retryDelayMs() doubles, follows Retry-After in both forms, and knows a limit", () => {
  const limits = { ...DEFAULT_LIMITS, retryDelayMs: 1000, retryDelayMaxMs: 60_000 };
  const between = (delayMs: number, lowMs: number) =>
    assert.ok(delayMs >= lowMs && delayMs <= lowMs * 1.25, `${delayMs}`);
  for (const [repetition, lowMs] of [1000, 2000, 4000, 8000].entries())
    between(retryDelayMs(limits, repetition), lowMs);
  between(retryDelayMs(limits, 3, "2"), 2000);
  const nowMs = Date.parse("2026-01-01T00:00:00Z");
  between(retryDelayMs(limits, 0, "Thu, 01 Jan 2026 00:00:20 GMT", nowMs), 20_000);
  assert.equal(retryDelayMs(limits, 0, "Thu, 01 Jan 2025 00:00:00 GMT", nowMs), 0);
  assert.equal(retryDelayMs(limits, 0, "86400"), 60_000);
  assert.equal(retryDelayMs(limits, 30), 60_000);
  between(retryDelayMs(limits, 0, "soon"), 1000);
});
