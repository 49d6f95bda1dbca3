/** What a thread of Node did when, from the profile that `node --cpu-prof` wrote of it. Pure. */

/** The parts of a profile that are read (Chrome DevTools protocol, Profiler.Profile). Times in microseconds. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  /** Of CLOCK_MONOTONIC. */
  readonly startTime: number;
  readonly samples: readonly number[];
  /** Before each sample. */
  readonly timeDeltas: readonly number[];
}

export const ACTIVITIES = [
  "asleep: waits for messages, files or time",
  "hashes",
  "inflates",
  "reads and writes files",
  "collects garbage",
  "loads and compiles code",
  "runs our code",
  "native code that V8 does not name",
] as const;

export type Activity = (typeof ACTIVITIES)[number];

/** Milliseconds of each activity in a slice. */
export type Slice = Partial<Record<Activity, number>>;

/** By the innermost function of a sample; the first that fits. Functions of C++ have no address. */
const RULES: readonly { readonly activity: Activity; readonly name?: RegExp; readonly url?: RegExp }[] = [
  { activity: "asleep: waits for messages, files or time", name: /^\(idle\)$/ },
  { activity: "collects garbage", name: /^\(garbage collector\)$/ },
  { activity: "native code that V8 does not name", name: /^\(program\)$/ },
  { activity: "hashes", url: /^node:internal\/crypto\/hash$|\/src\/(verity|primitives)\// },
  { activity: "inflates", url: /^node:zlib$|\/src\/zstd\// },
  {
    activity: "loads and compiles code",
    name: /^(compile|ModuleWrap|internalModuleStat|instantiate|link|evaluate)/,
  },
  { activity: "loads and compiles code", url: /^node:internal\/(modules|bootstrap|process|main|worker|deps)/ },
  { activity: "reads and writes files", url: /^node:(internal\/)?fs|\/src\/platform\// },
  { activity: "runs our code", url: /./ },
  {
    activity: "reads and writes files",
    name: /^(open|close|read|write|fstat|lstat|stat|mkdir|link|linkat|unlink|rename|readdir|fsync|pread|pwrite)/,
  },
  { activity: "runs our code" },
];

/**
 * The profile in slices of `sliceMs`.
 * @param originUs where the first slice begins, of CLOCK_MONOTONIC
 */
export function slicesOf(profile: CpuProfile, originUs: number, sliceMs: number): Slice[] {
  const activities = new Map(profile.nodes.map(({ id, callFrame }) => [id, activityOf(callFrame)]));
  const slices: Slice[] = [];
  let at = profile.startTime - originUs;
  profile.samples.forEach((id, index) => {
    const deltaUs = profile.timeDeltas[index + 1] ?? 0;
    at += index === 0 ? (profile.timeDeltas[0] ?? 0) : 0;
    addSpan(slices, activities.get(id) ?? "runs our code", at / 1000, (at + deltaUs) / 1000, sliceMs);
    at += deltaUs;
  });
  return slices;
}

function activityOf({ functionName, url }: CpuProfile["nodes"][number]["callFrame"]): Activity {
  const rule = RULES.find(({ name, url: place }) => (name?.test(functionName) ?? true) && (place?.test(url) ?? true));
  return rule?.activity ?? "runs our code";
}

/** Adds a stretch of time to every slice that it touches. */
function addSpan(slices: Slice[], activity: Activity, startMs: number, endMs: number, sliceMs: number): void {
  let from = Math.max(0, startMs);
  while (from < endMs) {
    const index = Math.floor(from / sliceMs);
    const to = Math.min(endMs, (index + 1) * sliceMs);
    const slice = slices[index] ?? {};
    slice[activity] = (slice[activity] ?? 0) + to - from;
    slices[index] = slice;
    from = to > from ? to : from + sliceMs;
  }
}
