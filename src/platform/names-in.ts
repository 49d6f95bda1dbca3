/** What is in a directory, where an unreadable one counts as empty. */
import { readdirSync } from "node:fs";

/** The names in a directory, in the system's order; none if there is no such directory or it cannot be read. */
export function namesInIfReadable(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
