/** Interfaces in varlink's description language (varlink.org, "Interface Definition"). */

export interface VarlinkMethod {
  /** What it does: the comment above it. */
  readonly summary: string;
  /** As in the language: `(image: string, tag: ?string)`. */
  readonly input: string;
  readonly output: string;
}

export interface VarlinkInterface {
  readonly name: string;
  readonly summary: string;
  /** Types, each as its line without `type`: `Sum (count: int, bytes: int)`. */
  readonly types?: readonly string[];
  readonly methods: Readonly<Record<string, VarlinkMethod>>;
  /** Errors, as `NotFound (name: string)`. */
  readonly errors?: readonly string[];
}

/** The description, as GetInterfaceDescription returns it. */
export function describeInterface({ name, summary, types = [], methods, errors = [] }: VarlinkInterface): string {
  const parts = [
    `# ${summary}\ninterface ${name}`,
    ...types.map((type) => `type ${type}`),
    ...Object.entries(methods).map(
      ([method, { summary: text, input, output }]) => `# ${text}\nmethod ${method} ${input} -> ${output}`,
    ),
    ...errors.map((error) => `error ${error}`),
  ];
  return `${parts.join("\n\n")}\n`;
}
