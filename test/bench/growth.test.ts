import assert from "node:assert/strict";
import { test } from "node:test";
import { growthPlot, shortNumber } from "../../bench/growth-plot.ts";
import { fitPowerLaw, lastExponent } from "../../bench/power-law.ts";

test("fitPowerLaw() finds exponent and factor of exact powers", () => {
  for (const [exponent, factor] of [
    [1, 3],
    [2, 0.5],
    [0.1, 7],
  ] as const) {
    const points = [10, 100, 1000].map((size) => ({ size, seconds: factor * size ** exponent }));
    const fit = fitPowerLaw(points);
    assert.ok(Math.abs(fit.exponent - exponent) < 1e-9 && Math.abs(fit.factor - factor) < 1e-9, JSON.stringify(fit));
  }
});

test("fitPowerLaw() takes the middle of points that scatter, lastExponent() the last step", () => {
  // Logarithms to base 10: sizes 0, 1, 2 and times 0, 0, 1; the slope by least squares is a half, of the last step 1.
  const points = [
    { size: 100, seconds: 10 },
    { size: 1, seconds: 1 },
    { size: 10, seconds: 1 },
  ];
  assert.equal(fitPowerLaw(points).exponent.toFixed(6), "0.500000");
  assert.equal(lastExponent(points).toFixed(6), "1.000000");
});

test("fitPowerLaw() refuses a single size", () => {
  const error = /^Error: Cannot fit a power law: it takes two different sizes$/;
  for (const points of [
    [],
    [{ size: 5, seconds: 1 }],
    [
      { size: 5, seconds: 1 },
      { size: 5, seconds: 2 },
    ],
  ]) {
    assert.throws(() => fitPowerLaw(points), error);
  }
});

test("growthPlot() draws each line to scale, with its exponent, and labels that do not cover each other", () => {
  const line = (name: string, factor: number) => ({
    name,
    points: [10, 100].map((size) => ({ size, seconds: factor * size })),
  });
  const svg = growthPlot("Cost", [{ title: "a < b", unit: "files", lines: [line("ours", 0.1), line("other", 0.101)] }]);
  assert.match(svg, /<text [^>]*>a &lt; b<\/text>/);
  // From the corner of 10 files and 1 s to that of 100 files and 10 s; above 10 s there is a decade more for the other line.
  assert.match(svg, /<polyline points="58,280 308,160" fill="none" stroke="#0b6e4f"/);
  const heights = [...svg.matchAll(/y="([\d.]+)"[^>]*>(?:ours|other), n\^1\.00</g)].map(([, at]) => Number(at));
  assert.equal(heights.length, 2);
  assert.ok(Math.abs((heights[0] ?? 0) - (heights[1] ?? 0)) >= 15, `labels at ${heights}`);
  assert.equal(svg.match(/<circle /g)?.length, 4);
});

test("shortNumber() counts in thousands, millions and milliards", () => {
  assert.deepEqual([0.01, 1, 10_000, 1e6, 1e10].map(shortNumber), ["0.01", "1", "10 k", "1 M", "10 G"]);
});
