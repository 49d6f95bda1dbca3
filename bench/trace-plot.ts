/** Who waits for whom: a lane for each thread over the same time. Pure: figures in, SVG out. */
import { polyline, rectangle, svgDocument, text } from "./svg.ts";
import type { Use } from "./thread-times.ts";
import { ACTIVITIES, type Activity, type Slice } from "./trace-profile.ts";

export interface Trace {
  readonly title: string;
  readonly sliceMs: number;
  readonly lanes: readonly Lane[];
}

export interface Lane {
  readonly name: string;
  /** What a thread of JavaScript did; without it only its use of processors is shown. */
  readonly activities?: readonly Slice[];
  readonly use: readonly Use[];
  /** Running threads at the lane's full height. */
  readonly threads: number;
}

const AREA = { left: 190, top: 76, width: 900 };
const LANE = { height: 74, gap: 22 };
const TRACE_GAP = 56;
/** Asleep stays white. */
const COLOURS: Readonly<Record<Activity, string>> = {
  "asleep: waits for messages, files or time": "#ffffff",
  hashes: "#2c5d9b",
  inflates: "#e08e0b",
  "reads and writes files": "#7a4ea3",
  "collects garbage": "#c0392b",
  "loads and compiles code": "#8d8d8d",
  "runs our code": "#0b8f63",
  "native code that V8 does not name": "#c9c9c9",
};
const USE_COLOUR = "#9fb7d1";
const RUNNING = { stroke: "#111111", width: 1 };
const QUEUED = { stroke: "#e6007a", width: 1, dash: "3 2" };

export function tracePlot(title: string, traces: readonly Trace[]): string {
  const elements = [text(16, 26, title, { size: 16, bold: true }), ...legend()];
  let top = AREA.top + 28;
  for (const trace of traces) {
    elements.push(...traceElements(trace, top));
    top += trace.lanes.length * (LANE.height + LANE.gap) + TRACE_GAP;
  }
  return svgDocument(AREA.left + AREA.width + 30, top, title, elements);
}

function legend(): string[] {
  const columnWidth = 265;
  const entries = ACTIVITIES.flatMap((activity, index) => {
    const [x, y] = [16 + (index % 4) * columnWidth, 40 + Math.floor(index / 4) * 18];
    return [
      rectangle({ x: x - 1, y: y - 1, width: 14, height: 12 }, "#999999"),
      rectangle({ x, y, width: 12, height: 10 }, COLOURS[activity]),
      text(x + 18, y + 9, activity, { size: 11.5 }),
    ];
  });
  const y = 85;
  return [
    ...entries,
    polyline(
      [
        [16, y],
        [40, y],
      ],
      RUNNING,
    ),
    text(46, y + 4, "on a processor (all threads of the lane; the top is all of them)", { size: 11.5 }),
    polyline(
      [
        [440, y],
        [464, y],
      ],
      QUEUED,
    ),
    text(470, y + 4, "could run, but no processor is free", { size: 11.5 }),
  ];
}

function traceElements({ title, sliceMs, lanes }: Trace, top: number): string[] {
  const slices = Math.max(1, ...lanes.map(({ activities = [], use }) => Math.max(activities.length, use.length)));
  const width = AREA.width / slices;
  const bottom = top + 24 + lanes.length * (LANE.height + LANE.gap);
  const seconds = (slices * sliceMs) / 1000;
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20].find((candidate) => seconds / candidate <= 12) ?? 50;
  const ticks = Array.from({ length: Math.floor(seconds / step) + 1 }, (_, index) => index * step);
  return [
    text(16, top + 10, title, { size: 13, bold: true }),
    ...lanes.flatMap((lane, index) => laneElements(lane, top + 24 + index * (LANE.height + LANE.gap), width, sliceMs)),
    ...ticks.flatMap((second) => {
      const x = AREA.left + (second / seconds) * AREA.width;
      return [
        polyline(
          [
            [x, top + 24],
            [x, bottom - LANE.gap],
          ],
          { stroke: "#00000022" },
        ),
        text(x, bottom - 6, `${Number(second.toFixed(1))} s`, { anchor: "middle", size: 11 }),
      ];
    }),
  ];
}

function laneElements(lane: Lane, top: number, width: number, sliceMs: number): string[] {
  const { name, activities, use, threads } = lane;
  const box = { x: AREA.left, y: top, width: AREA.width, height: LANE.height };
  const height = (amount: number) => LANE.height * Math.min(1, amount);
  const bottom = top + LANE.height;
  const line = (share: (use: Use) => number) =>
    use.map((slice, index) => [AREA.left + (index + 0.5) * width, bottom - height(share(slice) / threads)] as const);
  const columns =
    activities === undefined
      ? use.map(({ running }, index) => {
          const tall = height(running / threads);
          return rectangle({ x: AREA.left + index * width, y: bottom - tall, width, height: tall }, USE_COLOUR);
        })
      : activities.flatMap((slice, index) => column(slice, AREA.left + index * width, width, bottom, sliceMs));
  return [
    rectangle(box, "#f6f6f6"),
    ...columns,
    polyline(
      line(({ queued }) => queued),
      QUEUED,
    ),
    polyline(
      line(({ running }) => running),
      RUNNING,
    ),
    text(AREA.left - 10, top + 24, name, { anchor: "end", size: 12, bold: true }),
    text(AREA.left - 10, top + 42, summary(lane, sliceMs), { anchor: "end", size: 11 }),
    ...(threads === 1 ? [] : [text(AREA.left - 10, top + 58, `top: ${threads} threads`, { anchor: "end", size: 11 })]),
  ];
}

/** Slices are seldom empty: what V8 did not sample stays as it is. */
function column(slice: Slice | undefined, x: number, width: number, bottom: number, sliceMs: number): string[] {
  let y = bottom;
  return ACTIVITIES.toReversed().flatMap((activity) => {
    const height = (Math.min(sliceMs, slice?.[activity] ?? 0) / sliceMs) * LANE.height;
    if (height < 0.3) return [];
    y -= height;
    return [rectangle({ x, y, width: width + 0.1, height }, COLOURS[activity])];
  });
}

function summary({ use }: Lane, sliceMs: number): string {
  const total = (share: (use: Use) => number) => (use.reduce((sum, slice) => sum + share(slice), 0) * sliceMs) / 1000;
  return `ran ${total(({ running }) => running).toFixed(2)} s, queued ${total(({ queued }) => queued).toFixed(2)} s`;
}
