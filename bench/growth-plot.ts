/** Cost against size in logarithms: a panel for each kind of work, a line for each program. Pure: figures in, SVG out. */
import { fitPowerLaw, type Point } from "./power-law.ts";
import { circle, polyline, svgDocument, text } from "./svg.ts";

export interface GrowthChart {
  readonly title: string;
  /** What is counted on the horizontal axis, such as "files". */
  readonly unit: string;
  readonly lines: readonly GrowthLine[];
}

export interface GrowthLine {
  readonly name: string;
  /** By size, two or more. */
  readonly points: readonly Point[];
}

const COLUMNS = 2;
const PANEL = { width: 560, height: 330 };
/** Of the drawing inside a panel; to the right are the names of the lines. */
const AREA = { left: 58, top: 40, width: 250, height: 240 };
const TITLE_HEIGHT = 40;
const LABEL_HEIGHT = 15;
/** Ours first; distinguishable without colours by their dashes. */
const STYLES = [
  { stroke: "#0b6e4f", width: 2.5 },
  { stroke: "#c0392b", width: 1.8, dash: "6 3" },
  { stroke: "#2c5d9b", width: 1.8, dash: "2 3" },
  { stroke: "#8a6d00", width: 1.8, dash: "9 3 2 3" },
] as const;
const GRID = { stroke: "#dddddd" };
const AXIS = { stroke: "#666666" };

export function growthPlot(title: string, charts: readonly GrowthChart[]): string {
  const rows = Math.ceil(charts.length / COLUMNS);
  const panels = charts.map((chart, index) => {
    const [x, y] = [(index % COLUMNS) * PANEL.width, TITLE_HEIGHT + Math.floor(index / COLUMNS) * PANEL.height];
    return `<g transform="translate(${x} ${y})">\n${panel(chart).join("\n")}\n</g>`;
  });
  const heading = text(16, 26, title, { size: 16, bold: true });
  return svgDocument(COLUMNS * PANEL.width, TITLE_HEIGHT + rows * PANEL.height, title, [heading, ...panels]);
}

function panel({ title, unit, lines }: GrowthChart): string[] {
  const points = lines.flatMap((line) => line.points);
  const across = axis(points.map(({ size }) => size));
  const up = axis(points.map(({ seconds }) => seconds));
  const x = (size: number) => AREA.left + AREA.width * across.share(size);
  const y = (seconds: number) => AREA.top + AREA.height * (1 - up.share(seconds));
  const [right, bottom] = [AREA.left + AREA.width, AREA.top + AREA.height];
  return [
    text(AREA.left, 22, title, { size: 13, bold: true }),
    ...across.decades.flatMap((size) => [
      polyline(
        [
          [x(size), AREA.top],
          [x(size), bottom],
        ],
        GRID,
      ),
      text(x(size), bottom + 16, shortNumber(size), { anchor: "middle", size: 11 }),
    ]),
    ...up.decades.flatMap((seconds) => [
      polyline(
        [
          [AREA.left, y(seconds)],
          [right, y(seconds)],
        ],
        GRID,
      ),
      text(AREA.left - 6, y(seconds) + 4, `${shortNumber(seconds)} s`, { anchor: "end", size: 11 }),
    ]),
    polyline(
      [
        [AREA.left, AREA.top],
        [AREA.left, bottom],
        [right, bottom],
      ],
      AXIS,
    ),
    text(AREA.left + AREA.width / 2, bottom + 34, unit, { anchor: "middle", size: 12 }),
    ...lines.flatMap((line, index) => lineElements(line, index, x, y)),
    ...labels(lines, y).map(({ line, index, at }) =>
      text(right + 8, at + 4, `${line.name}, ${exponentText(line)}`, { size: 11.5, fill: styleOf(index).stroke }),
    ),
  ];
}

/** Whole decades around the values; one more where there is but one. */
function axis(values: readonly number[]): { readonly decades: number[]; share(value: number): number } {
  const low = Math.floor(Math.log10(Math.min(...values)) + 1e-9);
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values)) - 1e-9));
  const decades = Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index));
  return { decades, share: (value) => (Math.log10(value) - low) / (high - low) };
}

function lineElements(
  { points }: GrowthLine,
  index: number,
  x: (size: number) => number,
  y: (seconds: number) => number,
): string[] {
  const places = points.map(({ size, seconds }) => [x(size), y(seconds)] as const);
  const style = styleOf(index);
  return [polyline(places, style), ...places.map(([left, top]) => circle(left, top, 3.2, style.stroke))];
}

function styleOf(index: number): (typeof STYLES)[number] {
  return STYLES[index % STYLES.length] ?? STYLES[0];
}

/** Each at the end of its line, moved down where it would cover the one above. */
function labels(lines: readonly GrowthLine[], y: (seconds: number) => number) {
  const placed = lines
    .map((line, index) => ({ line, index, at: y(line.points.at(-1)?.seconds ?? 1) }))
    .sort((a, b) => a.at - b.at);
  let free = 0;
  return placed.map((label) => {
    const at = Math.max(label.at, free);
    free = at + LABEL_HEIGHT;
    return { ...label, at };
  });
}

function exponentText({ points }: GrowthLine): string {
  return `n^${fitPowerLaw(points).exponent.toFixed(2)}`;
}

/** 10000 is 10 k. */
export function shortNumber(value: number): string {
  if (value >= 1e9) return `${value / 1e9} G`;
  if (value >= 1e6) return `${value / 1e6} M`;
  if (value >= 1e3) return `${value / 1e3} k`;
  return String(Number(value.toPrecision(6)));
}
