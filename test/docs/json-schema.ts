/**
 * JSON Schema (2020-12) as far as docs/schema uses it. A keyword that is not known here is an error, so that no rule of a
 * schema is passed over.
 */

type Schema = Readonly<Record<string, unknown>>;

/** Keywords that say nothing about a value. */
const REMARKS = ["$schema", "title", "description"];

const TYPE_TESTS: Readonly<Record<string, (value: unknown) => boolean>> = {
  null: (value) => value === null,
  boolean: (value) => typeof value === "boolean",
  integer: (value) => Number.isInteger(value),
  string: (value) => typeof value === "string",
  array: (value) => Array.isArray(value),
  object: isObject,
};

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** How each keyword finds fault with a value; `path` names the value. */
const KEYWORDS: Readonly<Record<string, (rule: unknown, value: unknown, path: string, root: Schema) => string[]>> = {
  type: (rule, value, path) => {
    const names = [rule].flat().map(String);
    const unknown = names.find((name) => TYPE_TESTS[name] === undefined);
    if (unknown !== undefined) throw new Error(`unknown type ${unknown}`);
    return names.some((name) => TYPE_TESTS[name]?.(value)) ? [] : [`${path} is not ${names.join(" or ")}`];
  },
  const: (rule, value, path) => (rule === value ? [] : [`${path} is not ${rule}`]),
  enum: (rule, value, path) => ([rule].flat().includes(value) ? [] : [`${path} is none of ${rule}`]),
  pattern: (rule, value, path) =>
    typeof value !== "string" || new RegExp(String(rule), "u").test(value) ? [] : [`${path} is not like ${rule}`],
  minimum: (rule, value, path) => (typeof value !== "number" || value >= Number(rule) ? [] : [`${path} is too small`]),
  required: (rule, value, path) => {
    const missing = isObject(value) ? [rule].flat().filter((key) => !(String(key) in value)) : [];
    return missing.map((key) => `${path}.${key} is missing`);
  },
  properties: (rule, value, path, root) => {
    if (!isObject(value) || !isObject(rule)) return [];
    const known = Object.entries(rule).filter(([key]) => key in value);
    return known.flatMap(([key, schema]) => faultsOf(asSchema(schema), value[key], `${path}.${key}`, root));
  },
  items: (rule, value, path, root) =>
    Array.isArray(value) ? value.flatMap((item, at) => faultsOf(asSchema(rule), item, `${path}[${at}]`, root)) : [],
  // Only the whole schema is referred to, by parts that are like the whole.
  $ref: (rule, value, path, root) => {
    if (rule === "#") return faultsOf(root, value, path, root);
    throw new Error(`unknown reference ${String(rule)}`);
  },
  // Only `true` is used: what the keys of such a table are is somebody else's to say.
  additionalProperties: (rule) => {
    if (rule === true) return [];
    throw new Error("additionalProperties is not true");
  },
  anyOf: (rule, value, path, root) => {
    const all = [rule].flat().map((schema) => faultsOf(asSchema(schema), value, path, root));
    return all.some((faults) => faults.length === 0) ? [] : all.map((faults) => `either ${faults.join(", ")}`);
  },
};

function asSchema(value: unknown): Schema {
  if (isObject(value)) return value;
  throw new Error("a schema is not an object");
}

/**
 * What is wrong with a value. Stricter than the standard: an object must not have keys that its schema does not name,
 * unless that allows them. Readers are told to expect new keys; the tests want each to be described.
 */
export function faultsOf(schema: Schema, value: unknown, path = "$", root = schema): string[] {
  const faults = Object.entries(schema).flatMap(([keyword, rule]) => {
    if (REMARKS.includes(keyword)) return [];
    const check = KEYWORDS[keyword];
    if (check === undefined) throw new Error(`unknown keyword ${keyword}`);
    return check(rule, value, path, root);
  });
  if (
    !isObject(value) ||
    schema.anyOf !== undefined ||
    schema.$ref !== undefined ||
    schema.additionalProperties === true
  )
    return faults;
  const named = isObject(schema.properties) ? Object.keys(schema.properties) : [];
  const others = Object.keys(value).filter((key) => !named.includes(key));
  return [...faults, ...others.map((key) => `${path}.${key} is not described`)];
}
