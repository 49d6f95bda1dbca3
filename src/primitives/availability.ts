/** Whether a library can be used, found out once in each thread. */
import { reasonOf } from "../errors/index.ts";
import { primitivesWish } from "./wish.ts";

/** A library in use, or why not. */
export type Availability<Native extends object> =
  | { readonly native: Native; readonly name: string }
  | { readonly native: undefined; readonly reason: string };

/**
 * @param open returns the library and its name with version, or why it is not used
 * @returns a function that opens it at the first call
 */
export function availabilityOf<Native extends object>(open: () => Availability<Native>): () => Availability<Native> {
  let found: Availability<Native> | undefined;
  return () => {
    found ??= opened(open);
    return found;
  };
}

function opened<Native extends object>(open: () => Availability<Native>): Availability<Native> {
  const wish = primitivesWish();
  if (wish === "portable") return { native: undefined, reason: "SEALROOT_PRIMITIVES=portable" };
  let found: Availability<Native>;
  try {
    found = open();
  } catch (error) {
    found = { native: undefined, reason: reasonOf(error) };
  }
  if (wish === "native" && "reason" in found) {
    throw new Error(`Cannot do as SEALROOT_PRIMITIVES=native says: ${found.reason}`);
  }
  return found;
}
