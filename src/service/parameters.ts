/** The parameters of a call, checked against the description of the method. */

/** The named parameter has the wrong type, is missing, or is none of the method's. */
export class InvalidParameter extends Error {
  readonly parameter: string;

  constructor(parameter: string) {
    super(`invalid parameter ${parameter}`);
    this.parameter = parameter;
  }
}

/** What was given, by name; what is optional may be absent. */
export class Parameters {
  readonly #values: ReadonlyMap<string, unknown>;

  constructor(values: ReadonlyMap<string, unknown>) {
    this.#values = values;
  }

  /** @throws InvalidParameter when it is absent */
  text(name: string): string {
    const value = this.optionalText(name);
    if (value === undefined) throw new InvalidParameter(name);
    return value;
  }

  optionalText(name: string): string | undefined {
    const value = this.#values.get(name);
    return typeof value === "string" ? value : undefined;
  }

  /** Empty when it is absent. */
  texts(name: string): readonly string[] {
    const value = this.#values.get(name);
    return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
  }

  flag(name: string): boolean {
    return this.#values.get(name) === true;
  }
}

/** Types of inputs that methods here have. */
const TYPES: Readonly<Record<string, string>> = { string: "string", bool: "boolean" };

/**
 * @param input as in the description: `(image: string, tag: ?string, addons: ?[]string)`
 * @throws InvalidParameter for the first that does not fit
 */
export function readParameters(given: Readonly<Record<string, unknown>>, input: string): Parameters {
  const values = new Map<string, unknown>();
  const known = new Set<string>();
  for (const [, name = "", optional, array, type = ""] of input.matchAll(/(\w+): (\??)((?:\[\])?)(\w+)/g)) {
    known.add(name);
    const value = given[name] ?? undefined;
    if (value === undefined && optional === "?") continue;
    if (array === "" ? typeof value !== TYPES[type] : !isArrayOf(value, TYPES[type])) throw new InvalidParameter(name);
    values.set(name, value);
  }
  for (const name of Object.keys(given)) if (!known.has(name)) throw new InvalidParameter(name);
  return new Parameters(values);
}

function isArrayOf(value: unknown, type: string | undefined): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === type);
}
