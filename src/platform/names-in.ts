/** What is in a directory, for those to whom one that cannot be read is an empty one. */
import { readdirSync } from "node:fs";

/** The names in a directory, in the system's order; none when there is no such directory or it cannot be read. */
export function namesInIfReadable(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
