/** Version order: the UAPI Version Format Specification's, and RPM's, which GRUB uses. */

/** Characters without a meaning of their own in a version. */
const SEPARATORS = /^[^A-Za-z0-9.~^-]+/;
const DIGITS = /^[0-9]*/;
const LETTERS = /^[A-Za-z]*/;

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function leading(pattern: RegExp, text: string): string {
  return pattern.exec(text)?.[0] ?? "";
}

/** Digit runs of any length: without leading zeros the longer is the larger. */
function compareNumbers(a: string, b: string): number {
  const shortA = a.replace(/^0+/, "");
  const shortB = b.replace(/^0+/, "");
  return shortA.length - shortB.length || compareText(shortA, shortB);
}

/**
 * Order of two versions: negative if `a` is older (UAPI.10 Version Format Specification, "Version Comparison";
 * systemd's strverscmp_improved). Characters outside `[A-Za-z0-9.~^-]` only separate.
 */
export function compareVersions(a: string, b: string): number {
  let left = a;
  let right = b;
  for (;;) {
    left = left.replace(SEPARATORS, "");
    right = right.replace(SEPARATORS, "");
    if (left.startsWith("~") || right.startsWith("~")) {
      const order = Number(!left.startsWith("~")) - Number(!right.startsWith("~"));
      if (order !== 0) return order;
      left = left.slice(1);
      right = right.slice(1);
      continue;
    }
    if (left === "" || right === "") return Math.sign(left.length - right.length);
    const mark = ["-", "^", "."].find((sign) => left.startsWith(sign) || right.startsWith(sign));
    if (mark !== undefined) {
      const order = Number(!left.startsWith(mark)) - Number(!right.startsWith(mark));
      if (order !== 0) return order;
      left = left.slice(1);
      right = right.slice(1);
      continue;
    }
    const numeric = /^[0-9]/.test(left) || /^[0-9]/.test(right);
    const pattern = numeric ? DIGITS : LETTERS;
    const partA = leading(pattern, left);
    const partB = leading(pattern, right);
    // A number is newer than a word at the same place.
    const order =
      numeric && (partA === "" || partB === "")
        ? partA.length - partB.length
        : numeric
          ? compareNumbers(partA, partB)
          : compareText(partA, partB);
    if (order !== 0) return Math.sign(order);
    left = left.slice(partA.length);
    right = right.slice(partB.length);
  }
}

/** Order of two versions as RPM and GRUB's blscfg see it (rpm, rpmio/rpmvercmp.c). */
export function compareRpmVersions(a: string, b: string): number {
  let left = a;
  let right = b;
  for (;;) {
    left = left.replace(/^[^A-Za-z0-9~^]+/, "");
    right = right.replace(/^[^A-Za-z0-9~^]+/, "");
    if (left.startsWith("~") || right.startsWith("~")) {
      if (!left.startsWith("~")) return 1;
      if (!right.startsWith("~")) return -1;
      left = left.slice(1);
      right = right.slice(1);
      continue;
    }
    if (left.startsWith("^") || right.startsWith("^")) {
      if (left === "") return -1;
      if (right === "") return 1;
      if (!left.startsWith("^")) return 1;
      if (!right.startsWith("^")) return -1;
      left = left.slice(1);
      right = right.slice(1);
      continue;
    }
    if (left === "" || right === "") return Math.sign(left.length - right.length);
    const numeric = /^[0-9]/.test(left);
    const partA = leading(numeric ? DIGITS : LETTERS, left);
    const partB = leading(numeric ? DIGITS : LETTERS, right);
    if (partB === "") return numeric ? 1 : -1;
    const order = numeric ? compareNumbers(partA, partB) : compareText(partA, partB);
    if (order !== 0) return Math.sign(order);
    left = left.slice(partA.length);
    right = right.slice(partB.length);
  }
}
