/** What the environment says about the libraries. */

/**
 * `auto`: a library where it is installed, known and worth loading; `portable`: none; `native`: always, and an error where it
 * cannot be had. The last two are for tests and measurements: SEALROOT_PRIMITIVES=portable, SEALROOT_PRIMITIVES=native.
 */
export type PrimitivesWish = "auto" | "portable" | "native";

export function primitivesWish(): PrimitivesWish {
  const value = process.env.SEALROOT_PRIMITIVES ?? "";
  if (value === "" || value === "auto") return "auto";
  if (value === "portable" || value === "native") return value;
  throw new Error(`Cannot use SEALROOT_PRIMITIVES=${value}: it is none of auto, portable, native`);
}
