/** Lists of names in what a lint says. */
import { type ByteString, bytesOf } from "../../bytes/index.ts";
import type { LintContext } from "./lint.ts";

/** How many items are shown when not all are. */
export const ITEMS_MAX = 5;

/** A heading and the items below it, indented, the rest as a number; empty without items. */
export function itemList(
  heading: string,
  items: readonly string[],
  { itemsMax }: Pick<LintContext, "itemsMax">,
): string {
  if (items.length === 0) return "";
  const shown = itemsMax === undefined ? items : items.slice(0, itemsMax);
  const left = items.length - shown.length;
  const lines = [...shown, ...(left === 0 ? [] : [`...and ${left} more`])];
  return [`${heading}:`, ...lines.map((line) => `  ${line}`), ""].join("\n");
}

/** A path as a shell would read it back: quoted if it has anything but letters, digits and a few signs. */
export function quotedPath(path: ByteString): string {
  const text = Buffer.from(bytesOf(path)).toString("utf8");
  if (text !== "" && /^[\p{L}\p{N}/.\-_,=:]*$/u.test(text)) return text;
  if (!text.includes("'")) return `'${text}'`;
  return `"${text.replaceAll(/["$`\\]/g, "\\$&")}"`;
}

/** Whether these bytes are UTF-8. */
export function isUtf8(bytes: ByteString): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytesOf(bytes));
    return true;
  } catch {
    return false;
  }
}

/** In double quotes, with the bytes that are no UTF-8 as `\xFF`. */
export function escapedName(name: ByteString): string {
  let text = "";
  const bytes = bytesOf(name);
  for (let at = 0; at < bytes.length; ) {
    const length = [1, 2, 3, 4].find(
      (size) => isUtf8(name.slice(at, at + size) as ByteString) && at + size <= bytes.length,
    );
    if (length === undefined) text += `\\x${(bytes[at] ?? 0).toString(16).toUpperCase().padStart(2, "0")}`;
    else text += JSON.stringify(Buffer.from(bytes.subarray(at, at + length)).toString("utf8")).slice(1, -1);
    at += length ?? 1;
  }
  return `"${text}"`;
}
